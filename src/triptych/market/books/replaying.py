"""From a recorded stream to books in time: what the sequence rules let through, replayed by compiled code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books._replay_kernel import replay_levels
from triptych.market.books.events import ABSENT, BookEvents
from triptych.market.books.sequence import BookStatus
from triptych.market.books.steps import Steps, plan_steps
from triptych.market.books.tape import BookTape

NS_PER_MS: Final = 1_000_000
Clock = Literal["exchange", "local"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """A replayed stream.

    Attributes:
        tape: the books.
        counts: what became of the messages, see `BookStatus`: those of an `OrderBook` that sees the stream live. A
            message that waited for a snapshot counts as waiting.
        n_crossed_rows: rows left out because an order was being matched at that moment (protocol "none").
        n_unreadable_lines: lines of a raw capture that are no messages.
    """

    tape: BookTape
    counts: Counter[BookStatus]
    n_crossed_rows: int
    n_unreadable_lines: int


def replay(
    events: BookEvents,
    *,
    levels: int = 20,
    every_ms: int | None = None,
    at_ms: NDArray[np.int64] | None = None,
    clock: Clock = "exchange",
) -> Replayed:
    """Books of a recorded stream.

    What happens to a message is what `OrderBook` does with it live. After a gap, a crossed book or a message that
    cannot be right no row is given until the next snapshot, which begins a new segment of the tape. Under the protocol
    "none" a crossed book is an order that is being matched: only the rows of those moments are left out.

    Args:
        events: the recording.
        levels: levels a side to keep.
        every_ms: None: one row a message; else one row at every multiple of `every_ms` since 1970, holding all messages
            up to and including that time.
        at_ms: int64 of shape (n,), UTC: of one row a message only those that `sample_at` would find at these times, and
            the first and the last one. Not together with `every_ms`.
        clock: whose times the tape shows. A time that was not recorded is that of the next message that has one.

    Raises NotEnoughData when no message of the stream could be applied, DataError for a clock that was not recorded.
    """
    time_ns = _times(events, clock)
    steps = plan_steps(events, time_ns)
    if not steps.shows.any():
        raise _nothing_applied(events, steps)
    wanted, row_time_ms, row_step = _rows(steps, every_ms, at_ms)
    shape = (int(wanted.max()) + 1, 2, levels)
    ticks, sizes = np.zeros(shape, np.int64), np.full(shape, np.nan)
    replay_levels(
        steps.message, steps.resets, wanted, events.level_start, events.is_ask, events.price_ticks, events.sizes,
        ticks, sizes,
    )  # fmt: skip
    keep = ~steps.crosses[row_step]
    row_step = row_step[keep]
    copied = wanted[row_step]
    prices = np.where(ticks > 0, ticks / 10**events.price_decimals, np.nan)[copied]
    tape = BookTape(
        symbol=events.symbol, time_ms=row_time_ms[keep],
        segment=np.unique(steps.stretch[row_step], return_inverse=True)[1],
        bid_prices=prices[:, 0], bid_sizes=sizes[copied, 0], ask_prices=prices[:, 1], ask_sizes=sizes[copied, 1],
    )  # fmt: skip
    return Replayed(
        tape=tape,
        counts=steps.counts,
        n_crossed_rows=int(np.count_nonzero(~keep)),
        n_unreadable_lines=events.n_unreadable_lines,
    )


def _nothing_applied(events: BookEvents, steps: Steps) -> NotEnoughData:
    if steps.counts[BookStatus.INVALID] or steps.counts[BookStatus.CROSSED]:
        became = ", ".join(f"{n} {status}" for status, n in sorted(steps.counts.items()))
        return NotEnoughData(
            f"{events.symbol}: no book could be made of the {len(events)} messages: {became}.",
            remedy="Record the stream again: its snapshots cannot be right.",
        )
    return NotEnoughData(
        f"{events.symbol}: none of the {len(events)} messages could be applied: the stream has no snapshot.",
        remedy="Read it together with the file before it, which holds one: read_books([before, this]).",
    )


def _times(events: BookEvents, clock: Clock) -> NDArray[np.int64]:
    """A time for every message, never falling: a message is not older than the one before it."""
    times = events.exchange_time_ns if clock == "exchange" else events.local_time_ns
    if len(times) and (times == ABSENT).all():
        raise DataError(
            f"{events.symbol}: the stream was recorded without {clock} times.",
            remedy=f'Use clock="{"local" if clock == "exchange" else "exchange"}".',
        )
    latest = np.iinfo(np.int64).max
    known = np.where(times == ABSENT, latest, times)
    filled = np.minimum.accumulate(known[::-1])[::-1]
    filled = np.where(times == ABSENT, filled, times)
    return np.maximum.accumulate(np.where(filled == latest, times.max(initial=0), filled))


def _rows(
    steps: Steps, every_ms: int | None, at_ms: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which steps are copied out, and time (ms) and step of every row of the tape.

    Of a row a message the time is rounded up: the book was not there a fraction of a millisecond earlier.
    """
    if every_ms is None:
        row_step = np.flatnonzero(steps.shows)
        if at_ms is not None:
            row_step = _last_before(steps, row_step[~steps.crosses[row_step]], at_ms)
        row_time_ms = -(-steps.time_ns[row_step] // NS_PER_MS)
    else:
        every_ns = every_ms * NS_PER_MS
        times, chosen = [], []
        for stretch, end_ns in enumerate(steps.end_ns):
            first, last = np.searchsorted(steps.stretch, [stretch, stretch + 1])
            own = np.flatnonzero(steps.shows[first:last]) + first
            grid = np.arange(-(-steps.time_ns[own[0]] // every_ns), end_ns // every_ns + 1) * every_ns
            times.append(grid // NS_PER_MS)
            chosen.append(own[np.searchsorted(steps.time_ns[own], grid, side="right") - 1])
        row_time_ms, row_step = np.concatenate(times), np.concatenate(chosen)
        if not len(row_step):
            raise NotEnoughData(
                f"The stream does not last until the next multiple of {every_ms} ms.", remedy="Choose a finer grid."
            )
    wanted = np.full(len(steps.message), -1, dtype=np.int64)
    used = np.unique(row_step)
    wanted[used] = np.arange(len(used))
    return wanted, row_time_ms.astype(np.int64), row_step


def _last_before(steps: Steps, row_step: NDArray[np.int64], at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the steps that give rows, those that were the last at some of the times, and the first and the last one."""
    if not len(row_step):
        return row_step
    place = np.searchsorted(-(-steps.time_ns[row_step] // NS_PER_MS), at_ms, side="right") - 1
    kept: NDArray[np.int64] = row_step[np.unique(np.r_[0, place[place >= 0], len(row_step) - 1])]
    return kept
