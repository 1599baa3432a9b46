"""Books at given times, and windows of them that end where candles close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books.tape import BookTape

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class BookSample:
    """Books at the times asked for.

    Attributes:
        tape: one row a time; of a stale one all levels are NaN.
        source: int64 of shape (n,): row of the sampled tape that stands there, -1 where stale.
        age_ms: int64 of shape (n,): how long before the asked time the book was last seen, -1 where there was none.
        is_stale: bool of shape (n,): no book yet, or one older than allowed.
    """

    tape: BookTape
    source: NDArray[np.int64]
    age_ms: NDArray[np.int64]
    is_stale: NDArray[np.bool_]

    @property
    def n_stale(self) -> int:
        """Times without a book fresh enough."""
        return int(np.count_nonzero(self.is_stale))


@dataclass(frozen=True, kw_only=True, slots=True)
class BookWindows:
    """Windows of books, one for each close.

    Attributes:
        symbol: instrument.
        close_times_ms: int64 of shape (n,): when each window ends.
        is_valid: bool of shape (n,): the window has no stale book and crosses neither a gap nor, unless allowed, a
            UTC day. Rows of a window that is not valid are not to be used.
    """

    symbol: str
    close_times_ms: NDArray[np.int64]
    is_valid: NDArray[np.bool_]
    length: int
    step_ms: int
    _table: NDArray[np.float64]
    _source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.close_times_ms)

    @property
    def valid(self) -> NDArray[np.int64]:
        """Positions of the windows that may be used, int64 of shape (k,)."""
        return np.flatnonzero(self.is_valid)

    def rows(self, positions: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Windows by position, float64 of shape (k, length, 4 * levels) in the order of `book_columns`; all by default.

        Stale books are NaN. Only the windows asked for are built: take them in batches.
        """
        source = self._source if positions is None else self._source[positions]
        rows = self._table[source]
        rows[source < 0] = np.nan
        return rows


def sample_at(tape: BookTape, times_ms: NDArray[np.int64], max_age_ms: int) -> BookSample:
    """The last book at or before each time.

    Args:
        tape: books in time order.
        times_ms: int64 of shape (n,), never falling, UTC.
        max_age_ms: a book last seen longer before is stale: its row is NaN.

    Raises DataError when the times fall or the age is negative.
    """
    times_ms = np.asarray(times_ms, dtype=np.int64)
    if max_age_ms < 0:
        raise DataError(f"{tape.symbol}: the largest age of a book was {max_age_ms} ms.", remedy="Give 0 ms or more.")
    if (np.diff(times_ms) < 0).any():
        raise DataError(f"{tape.symbol}: times at which to sample must not fall.", remedy="Sort them.")
    source, age = _last_before(tape, times_ms)
    is_stale = (source < 0) | (age > max_age_ms)
    stretch = np.maximum(source, 0)  # a stale row belongs to the stretch before it, so that numbers never fall
    source = np.where(is_stale, -1, source)
    blocks = {
        name: np.where(is_stale[:, None], np.nan, getattr(tape, name)[source] if len(tape) else np.nan)
        for name in ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")
    }
    segment = tape.segment[stretch] if len(tape) else np.zeros(len(times_ms), np.int64)
    sampled = BookTape(symbol=tape.symbol, time_ms=times_ms, segment=segment, **blocks)
    return BookSample(tape=sampled, source=source, age_ms=age, is_stale=is_stale)


def book_windows(
    tape: BookTape,
    close_times_ms: NDArray[np.int64],
    length: int,
    step_ms: int,
    *,
    max_age_ms: int | None = None,
    levels: int | None = None,
    across_days: bool = False,
) -> BookWindows:
    """Windows of `length` books, `step_ms` apart, the last of them at each close.

    Args:
        tape: books of one instrument.
        close_times_ms: int64 of shape (n,): usually `CandleSeries.close_time_ms`. A window shows the books as they
            were at close, close - step_ms, ...: nothing later.
        length: books in a window, at least 1.
        step_ms: milliseconds between them, at least 1.
        max_age_ms: a book last seen longer before its time makes the window invalid. None: the larger of `step_ms` and
            one second.
        levels: levels a side; None: those of the tape.
        across_days: allow windows that contain 00:00 UTC. For markets that never close; between the sessions of others
            lies a gap anyway, which no window may cross.

    Raises DataError for a length or step below 1, NotEnoughData when the tape has fewer levels.
    """
    if length < 1 or step_ms < 1:
        raise DataError(
            f"{tape.symbol}: a window of {length} books {step_ms} ms apart cannot be cut.",
            remedy="Give a length and a step of at least 1.",
        )
    if len(tape) == 0:
        raise NotEnoughData(f"{tape.symbol}: the tape holds no books.", remedy="Read another file.")
    close_times_ms = np.asarray(close_times_ms, dtype=np.int64)
    oldest_ms = max(step_ms, 1_000) if max_age_ms is None else max_age_ms
    times = close_times_ms[:, None] + np.arange(1 - length, 1, dtype=np.int64) * step_ms
    source, age = _last_before(tape, times)
    is_fresh = (source >= 0) & (age <= oldest_ms)
    segment = tape.segment[source]
    is_valid = is_fresh.all(axis=1) & (segment[:, 0] == segment[:, -1])
    if not across_days:
        # A close at midnight belongs to the day that ends.
        is_valid &= (times[:, 0] - 1) // DAY_MS == (times[:, -1] - 1) // DAY_MS
    return BookWindows(
        symbol=tape.symbol, close_times_ms=close_times_ms, is_valid=is_valid, length=length, step_ms=step_ms,
        _table=tape.rows(levels), _source=np.where(is_fresh, source, -1),
    )  # fmt: skip


def _last_before(tape: BookTape, times_ms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of the last book at or before each time (-1 for none) and its age in ms (-1 for none)."""
    source = np.searchsorted(tape.time_ms, times_ms, side="right") - 1
    age = np.where(source < 0, -1, times_ms - tape.time_ms[source]) if len(tape) else np.full(times_ms.shape, -1)
    return source.astype(np.int64), age.astype(np.int64)
