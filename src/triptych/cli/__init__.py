"""The command line: one command per file. `main` turns every error a user can mend into a message and exit status 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from triptych.cli.app import app, command_line
from triptych.cli.console import INTERRUPTED, fail, say_interrupted
from triptych.domain.errors import StorageError, TriptychError

__all__ = ["app", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command `triptych`; always ends with SystemExit.

    Args:
        arguments: of the command; None takes those of the process.
    """
    # Waiting threads sleep instead of spinning: on a small PC they would spin on the core the others need. Read by
    # OpenMP when PyTorch is imported, which no command has done yet.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        command_line()(args=arguments, prog_name="triptych")
    except TriptychError as error:
        fail(error)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        place = error.filename or "The disk"
        fail(StorageError(f"{place}: {error.strerror}.", remedy="Check the path, the permissions and the space left."))
        sys.exit(2)
    except SystemExit as ending:
        if ending.code == INTERRUPTED:
            say_interrupted()
        raise
