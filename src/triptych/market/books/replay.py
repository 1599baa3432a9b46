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
from triptych.market.books.sequence import BookStatus, Sequencer
from triptych.market.books.tape import BookTape

NS_PER_MS: Final = 1_000_000
Clock = Literal["exchange", "local"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """A replayed stream.

    Attributes:
        tape: the books.
        counts: what became of the messages, see `BookStatus`; a message that waited for a snapshot counts as waiting.
        n_crossed_rows: rows left out because the book was crossed at that moment.
    """

    tape: BookTape
    counts: Counter[BookStatus]
    n_crossed_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Steps:
    """Messages in the order in which they change the book; a step is the application of one message.

    Attributes:
        message, stretch: int64 of shape (s,).
        resets: bool of shape (s,): the step begins a new book.
        shows: bool of shape (s,): whether the book after this step ever existed. False for a snapshot and all but the
            last of the deltas that waited for it: they are one change.
        time_ns: int64 of shape (s,), never falling.
        end_ns: int64 of shape (stretches,): time of the message with which the book of a stretch stopped being known.
    """

    message: NDArray[np.int64]
    stretch: NDArray[np.int64]
    resets: NDArray[np.bool_]
    shows: NDArray[np.bool_]
    time_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]


def replay(events: BookEvents, *, levels: int = 20, every_ms: int | None = None, clock: Clock = "exchange") -> Replayed:
    """Books of a recorded stream.

    After a gap no row is given until the next snapshot, which begins a new segment of the tape. Rows in which the book
    is crossed are left out and counted; unless the protocol is "none", the row after them begins a new segment too.

    Args:
        events: the recording.
        levels: levels a side to keep.
        every_ms: None: one row a message; else one row at every multiple of `every_ms` since 1970, holding all messages
            up to and including that time.
        clock: whose times the tape shows. A time that was not recorded is that of the next message that has one.

    Raises NotEnoughData when no message of the stream could be applied, DataError for a clock that was not recorded.
    """
    time_ns = _times(events, clock)
    steps, counts = _plan(events, time_ns)
    if not len(steps.message):
        raise NotEnoughData(
            f"{events.symbol}: none of the {len(events)} messages could be applied: the stream has no snapshot.",
            remedy="Read it together with the file before it, which holds one: read_books([before, this]).",
        )
    wanted, row_time_ms, row_step = _rows(steps, every_ms)
    shape = (int(wanted.max()) + 1, 2, levels)
    ticks, sizes, is_crossed = np.zeros(shape, np.int64), np.full(shape, np.nan), np.zeros(shape[0], np.bool_)
    replay_levels(
        steps.message, steps.resets, wanted, events.level_start, events.is_ask, events.price_ticks, events.sizes,
        ticks, sizes, is_crossed,
    )  # fmt: skip
    copied = wanted[row_step]
    keep = ~is_crossed[copied]
    # In a venue's own stream a crossed book means a lost message; in one that was put together from single orders it is
    # an order that is being matched.
    segment = steps.stretch[row_step] + (0 if events.protocol == "none" else np.cumsum(~keep))
    prices = np.where(ticks > 0, ticks / 10**events.price_decimals, np.nan)[copied[keep]]
    kept_sizes = sizes[copied[keep]]
    tape = BookTape(
        symbol=events.symbol, time_ms=row_time_ms[keep], segment=np.unique(segment[keep], return_inverse=True)[1],
        bid_prices=prices[:, 0], bid_sizes=kept_sizes[:, 0], ask_prices=prices[:, 1], ask_sizes=kept_sizes[:, 1],
    )  # fmt: skip
    return Replayed(tape=tape, counts=counts, n_crossed_rows=int(np.count_nonzero(~keep)))


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


def _plan(events: BookEvents, time_ns: NDArray[np.int64]) -> tuple[_Steps, Counter[BookStatus]]:
    sequencer: Sequencer[int] = Sequencer(events.protocol)
    counts: Counter[BookStatus] = Counter()
    message: list[int] = []
    stretch: list[int] = []
    resets: list[bool] = []
    shows: list[bool] = []
    when: list[int] = []
    end_ns: list[int] = []
    times = time_ns.tolist()
    for i, ids in enumerate(events.ids()):
        was_synchronised, last = sequencer.is_synchronised, sequencer.update_id
        ruling = sequencer.offer(ids, i)
        counts[ruling.status] += 1
        restarted = events.protocol == "bybit" and ids.update_id == 1
        # A snapshot in the middle says nothing of what came before it, unless its number shows that nothing is missing:
        # the recording may have stood still for an hour.
        goes_on = was_synchronised and last is not None and ids.update_id is not None and ids.update_id <= last + 1
        if ruling.status is BookStatus.RESET and (restarted or not goes_on):
            end_ns.append(-1)
        for position, item in enumerate(ruling.items):
            message.append(item)
            stretch.append(len(end_ns) - 1)
            resets.append(position == 0 and ruling.status is BookStatus.RESET)
            shows.append(position == len(ruling.items) - 1)
            when.append(times[max(ruling.items)])
        if sequencer.is_synchronised:
            end_ns[-1] = times[i]
    steps = _Steps(
        message=np.array(message, np.int64), stretch=np.array(stretch, np.int64), resets=np.array(resets, np.bool_),
        shows=np.array(shows, np.bool_), time_ns=np.array(when, np.int64), end_ns=np.array(end_ns, np.int64),
    )  # fmt: skip
    return steps, counts


def _rows(steps: _Steps, every_ms: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which steps are copied out, and time (ms) and step of every row of the tape.

    Of a row a message the time is rounded up: the book was not there a fraction of a millisecond earlier.
    """
    if every_ms is None:
        row_step = np.flatnonzero(steps.shows)
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
