"""The folder of a run on order books: begun, gone on with, replaced; never one that holds anything else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from triptych.bootstrap.files import read_json
from triptych.bootstrap.run_folder import BOOK_BEGUN, BOOK_RESULT, TRADED
from triptych.domain.errors import RunError
from triptych.domain.files import write_json

RESULT, BEGUN = BOOK_RESULT, BOOK_BEGUN


def make_room(folder: Path, mark: str, *, fresh: bool) -> None:
    """Begin the run with this fingerprint in a folder, or go on with it.

    `fresh` removes a run that is there, and nothing else that lies beside it. Raises RunError where the folder holds
    another run or other files.
    """
    begun = folder / BEGUN
    if not begun.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(
                f"{folder} is there and holds no run on order books.", remedy="Choose a new or an empty folder."
            )
    elif fresh:
        (folder / RESULT).unlink(missing_ok=True)
        for part in (folder / TRADED, folder / "artifact", *folder.glob("training-*")):
            if part.exists():  # before the mark changes: no training of another recipe is ever gone on with
                shutil.rmtree(part)
    elif read_json(begun, ("fingerprint",))["fingerprint"] == mark:
        return
    else:
        raise RunError(f"{folder} holds another run.", remedy="Choose another folder, or replace it with --fresh.")
    write_json(begun, {"fingerprint": mark})


def read_result(folder: Path) -> dict[str, Any]:
    """What a finished run says. Raises RunError where there is none."""
    found: dict[str, Any] = read_json(folder / RESULT, ("fingerprint", "scores", "verdict"))
    return found
