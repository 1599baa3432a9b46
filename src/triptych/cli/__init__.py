"""The command line: one command per file. `main` turns every error a user can mend into a message and exit status 2."""

from __future__ import annotations

import sys

from triptych.cli.app import app
from triptych.cli.console import fail
from triptych.domain.errors import StorageError, TriptychError

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of the command `triptych`."""
    try:
        app()
    except TriptychError as error:
        fail(error)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        fail(StorageError(f"{error.filename or 'The disk'}: {error.strerror}."))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. The same command goes on from the last checkpoint.\n")
        sys.exit(130)
