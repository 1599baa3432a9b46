"""The ledger of trials: every recipe tried on the same candles, because luck grows with their number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.bootstrap.files import read_json
from triptych.bootstrap.locking import exclusive
from triptych.domain.errors import RunError
from triptych.domain.files import write_json

LEDGER, LOCK = "trials.json", ".trials.lock"
_PATIENCE_S = 60.0


def record_trial(runs: Path, history: str, mark: str) -> int:
    """Enter a trial and say how many different ones there are by now: luck is deflated by their number.

    Every recipe tried on the same history in the same folder of runs counts once; repeating one does not. The count is
    that of now, not of then: the best of twenty is the best of twenty, even if it happened to be tried first. Several
    processes may record at once.

    Args:
        runs: folder of runs; the ledger lies in it.
        history: mark of the candles, see `provenance.history_mark`.
        mark: of the recipe.

    Raises RunError for a damaged ledger, StorageError when the disk refuses.
    """
    ledger = runs / LEDGER
    with exclusive(runs / LOCK, what=str(ledger), timeout_s=_PATIENCE_S):
        trials = _read(ledger)
        marks = trials.setdefault(history, [])
        if mark not in marks:
            marks.append(mark)
            write_json(ledger, trials)
        return len(marks)


def _read(ledger: Path) -> dict[str, list[str]]:
    if not ledger.exists():
        return {}
    remedy = "Restore it, or delete it: the trials made until now are then no longer counted."
    try:
        found: Any = read_json(ledger)
    except RunError as error:
        raise RunError(error.message, remedy=remedy) from error
    if not isinstance(found, dict) or not all(isinstance(marks, list) for marks in found.values()):
        raise RunError(f"{ledger} is damaged: it is no ledger of trials.", remedy=remedy)
    return found
