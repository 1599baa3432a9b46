"""Fewer rows of books that are sampled already: the book at every multiple of a longer step."""

from __future__ import annotations

from typing import Final

import numpy as np

from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books.tape import RHYTHM_SHARE, BookTape, rhythm

LIKE_SHARE: Final = 0.1
"""Of a table whose steps vary: a multiple is made of steps that are alike within this share, as its own are."""


def thinned(tape: BookTape, every_ms: int) -> BookTape:
    """One row at every multiple of `every_ms` since 1970, as `replay` gives of a stream.

    A row holds the last book at or before its time, and its time is that multiple, so nothing later is in it. It
    belongs to the stretch of that book; between the last row of a stretch and the first of the next there are no rows.
    A table whose own step is `every_ms` stays as it is. One without a rhythm, with a row whenever the book changed, has
    no step that a multiple could be of, and is sampled at any distance.

    Args:
        tape: books in time order.
        every_ms: milliseconds between rows, at least 1.

    Raises DataError for a step finer than the table's own or no multiple of it, NotEnoughData where no multiple of it
    falls into the table's time.
    """
    own = _own_step(tape, every_ms)
    if own == every_ms:
        return tape
    first = np.flatnonzero(np.diff(tape.segment, prepend=tape.segment[:1] - 1))
    end = np.append(first[1:], len(tape)) if len(first) else first
    grids = [
        np.arange(-(-start // every_ms), stop // every_ms + 1, dtype=np.int64) * every_ms
        for start, stop in zip(tape.time_ms[first].tolist(), tape.time_ms[end - 1].tolist(), strict=True)
    ]
    # Two stretches may share a millisecond: a row is looked for among those of its own stretch.
    rows = [
        start + np.searchsorted(tape.time_ms[start:stop], grid, side="right") - 1
        for start, stop, grid in zip(first.tolist(), end.tolist(), grids, strict=True)
    ]
    source = np.concatenate([np.empty(0, np.int64), *rows])
    if not len(source):
        raise NotEnoughData(
            f"{tape.symbol}: the books do not last until the next multiple of {every_ms} ms.",
            remedy="Choose a shorter step, or bring a longer recording.",
        )
    return BookTape(
        symbol=tape.symbol, time_ms=np.concatenate(grids), segment=tape.segment[source],
        bid_prices=tape.bid_prices[source], bid_sizes=tape.bid_sizes[source],
        ask_prices=tape.ask_prices[source], ask_sizes=tape.ask_sizes[source],
    )  # fmt: skip


def _own_step(tape: BookTape, every_ms: int) -> int | None:
    """`every_ms` where the table's rows are that far apart, None where they are to be sampled; else raises."""
    steps = np.diff(tape.time_ms)[np.diff(tape.segment) == 0]
    moving = steps[steps > 0]
    usual = rhythm(moving)
    if usual is None:
        return None
    is_exact = np.mean(moving == usual) >= RHYTHM_SHARE
    multiple = round(every_ms / usual)
    if multiple < 1 or abs(every_ms / multiple - usual) > (0.0 if is_exact else LIKE_SHARE * usual):
        raise DataError(
            f"{tape.symbol}: the books are {usual:g} ms apart already and cannot be taken every {every_ms} ms.",
            remedy=f"Ask for a multiple of {usual:g} ms, such as {max(2, multiple) * usual:.0f}, or leave it out "
            "(--every-ms, data.every_ms).",
        )
    return every_ms if multiple == 1 else None
