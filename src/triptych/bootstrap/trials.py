"""The ledger of trials: every recipe tried on the same market, because luck grows with their number.

    {history: [recipe, ...], ..., "periods": {history: {symbol: [first_ms, last_ms]}}}

Histories and recipes stand there by their marks. One ledger counts for all in a folder of runs, whatever made it:
a variant of an ablation, a member of a consensus, a candidate of a search and the run that trades a network of order
books lie deeper, and are entered where the ablation, the consensus, the search or the network lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from triptych.bootstrap.files import read_json
from triptych.bootstrap.locking import exclusive
from triptych.bootstrap.provenance import History
from triptych.bootstrap.run_folder import ABLATION, ABLATION_RESULT, BOOK_BEGUN, BOOK_RESULT, RECORD, STUDY
from triptych.domain.errors import RunError
from triptych.domain.files import write_json

LEDGER, LOCK = "trials.json", ".trials.lock"
_PERIODS: Final = "periods"
_PATIENCE_S = 60.0
_WHOLES: Final = (RECORD, ABLATION, ABLATION_RESULT, STUDY, BOOK_BEGUN, BOOK_RESULT)
"""Files of which a run, an ablation, a search or a network of order books has one."""
_ROOMS: Final = ("members", "candidates")
"""Folders inside of these that hold runs."""


def ledger_folder(folder: Path) -> Path:
    """The folder of runs whose ledger counts what lies in a folder: the first one above that is part of no run.

    Args:
        folder: of a run, an ablation, a search or a network of order books.
    """
    above = folder.absolute().parent
    while True:
        if _is_whole(above):
            above = above.parent
        elif above.name in _ROOMS and _is_whole(above.parent):
            above = above.parent.parent
        else:
            return above


def record_trial(folder: Path, history: History, mark: str) -> int:
    """Enter a trial and say how many different ones there are by now: luck is deflated by their number.

    Every recipe tried on the same market in the same folder of runs counts once; repeating one, or going on with it,
    does not. Two histories are of the same market when they begin alike, or when they hold an instrument of one name
    at the same time. The count is that of now, not of then: the best of twenty is the best of twenty, even if it
    happened to be tried first. Several processes may record at once.

    Args:
        folder: of what is tried; its ledger lies in the `ledger_folder`.
        history: what it is tried on.
        mark: of the recipe.

    Raises RunError for a damaged ledger, StorageError when the disk refuses.
    """
    home = ledger_folder(folder)
    ledger = home / LEDGER
    with exclusive(home / LOCK, what=str(ledger), timeout_s=_PATIENCE_S):
        known = _read(ledger)
        trials = {name: list(marks) for name, marks in known.items() if name != _PERIODS}
        periods = {name: dict(spans) for name, spans in known.get(_PERIODS, {}).items()}
        for other in _older(home):
            found = _read(other)
            _widen(periods, found.pop(_PERIODS, {}))
            for name, marks in found.items():
                trials.setdefault(name, []).extend(one for one in marks if one not in trials[name])
        _widen(periods, {history.mark: history.periods} if history.periods else {})
        marks = trials.setdefault(history.mark, [])
        if mark not in marks:
            marks.append(mark)
        content = {**trials, _PERIODS: periods} if periods else trials
        if content != known:
            write_json(ledger, content)
    mine = periods.get(history.mark, {})
    same = [name for name in trials if name == history.mark or _meet(periods.get(name, {}), mine)]
    return len({one for name in same for one in trials[name]})


def _is_whole(folder: Path) -> bool:
    return any((folder / name).exists() for name in _WHOLES)


def _older(home: Path) -> Iterator[Path]:
    """Ledgers of what has become part of something: what they counted stays counted.

    Earlier versions kept them inside ablations and books runs; and an ablation of one seed may lie in a folder before
    that becomes an ablation over seeds.
    """
    for ledger in sorted((*home.glob(f"*/{LEDGER}"), *home.glob(f"*/*/{LEDGER}"))):
        inside = ledger.relative_to(home).parents
        if all(_is_whole(home / folder) for folder in inside if folder.name):
            yield ledger


def _widen(periods: dict[str, dict[str, Any]], others: Any) -> None:
    """A history that was seen shorter and longer is as long as its first and last candle ever seen."""
    for name, spans in others.items():
        mine = periods.setdefault(name, {})
        for symbol, (first, last) in spans.items():
            known = mine.get(symbol, (first, last))
            mine[symbol] = [min(first, known[0]), max(last, known[1])]


def _meet(one: Any, other: Any) -> bool:
    """Whether two histories hold an instrument of one name at the same time."""
    return any(one[s][0] <= other[s][1] and other[s][0] <= one[s][1] for s in one if s in other)


def _read(ledger: Path) -> dict[str, Any]:
    if not ledger.exists():
        return {}
    remedy = "Restore it, or delete it: the trials made until now are then no longer counted."
    try:
        found: Any = read_json(ledger)
    except RunError as error:
        raise RunError(error.message, remedy=remedy) from error
    if not isinstance(found, dict) or not all(
        isinstance(one, dict if name == _PERIODS else list) for name, one in found.items()
    ):
        raise RunError(f"{ledger} is damaged: it is no ledger of trials.", remedy=remedy)
    return found
