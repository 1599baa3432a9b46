"""Recorded order books beside candles that a trained model is asked about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from triptych.bootstrap.candle_books import beside, read_beside
from triptych.domain import CandleSeries
from triptych.domain.errors import ArtifactError, DataError
from triptych.inference import BookNeed
from triptych.market.books import BookTape
from triptych.market.tapes import is_tape


def with_recorded(
    series: Sequence[CandleSeries],
    need: BookNeed,
    books: Sequence[Path],
    tape: Path | None = None,
    *,
    only_seen: Collection[str] = (),
    who: str = "model",
) -> list[CandleSeries]:
    """Histories with the books beside them that recordings hold.

    Args:
        series: candles of one or several instruments.
        need: of the model.
        books: recordings, one an instrument, or the folder of a tape for all.
        tape: the tape the candles are from, which may hold books itself.
        only_seen: symbols of companions; they stay without books unless the model reads theirs too.
        who: reads them, for the message.

    Raises ArtifactError when there is no recording, DataError and its kinds where one does not fit the candles.
    """
    if not books and tape is not None and is_tape(tape):
        books = [tape]
    if not books:
        raise ArtifactError(
            f"The {who} reads {need.levels} levels of order book a side at every close, and there are candles alone.",
            remedy="Bring the recordings beside them: --book FILE, or the folder of `triptych data record`.",
        )
    bare = () if need.companions else only_seen
    return [one if one.symbol in bare else beside(one, recording_of(one, need, books), need) for one in series]


def recording_of(one: CandleSeries, need: BookNeed, books: Sequence[Path]) -> BookTape:
    """The first of some recordings that is one of this instrument.

    Raises DataError, that of the first, when none is.
    """
    problems = []
    for path in books:
        try:
            return read_beside(path, one, need)
        except DataError as error:
            problems.append(error)
    raise problems[0]
