"""Which windows are drawn: those that end at given times, the last ones, or those of a period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain import utc
from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.store import to_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """Which windows are drawn, by the time at which they close. Without any of these: the last one.

    Attributes:
        at: times such as 2023-12-31T23:55, UTC.
        last: the last so many windows.
        every: only every n-th window, counted back from the last.
        start, end: windows that close from `start` to `end`, both included, UTC.

    Raises DataError for text that is no time, and for times together with a period.
    """

    at: tuple[str, ...] = ()
    last: int | None = None
    every: int | None = None
    start: str | None = None
    end: str | None = None

    def __post_init__(self) -> None:
        if self.at and self.has_period:
            raise DataError(
                "Times and a period cannot be asked for together.",
                remedy="Give either --at, or --last, --every, --from and --to.",
            )
        for moment in (*self.at, self.start, self.end):
            if moment is not None:
                to_ms(moment)

    @property
    def has_period(self) -> bool:
        """Whether anything but single times was asked for."""
        return any(one is not None for one in (self.last, self.every, self.start, self.end))

    @property
    def words(self) -> str:
        """What was asked for, for messages."""
        period = [f"from {self.start}"] if self.start else []
        period += [f"to {self.end}"] if self.end else []
        return " ".join(period)


def choose(
    moments: Moments, close_time_ms: NDArray[np.int64], can_end: NDArray[np.bool_], *, what: str, exact: bool
) -> NDArray[np.int64]:
    """Rows at which the windows end, rising.

    Args:
        moments: what was asked for.
        close_time_ms: when each row may first be used, strictly rising.
        can_end: whether a window can end at each row: enough rows stand before it, none of them unknown.
        what: name of the history and of what is drawn, for messages.
        exact: whether a row must close exactly at a time of `at` (candles), or the last row up to it will do (books).

    Raises NotEnoughData when no window can end where it was asked for, DataError when no row closes at that time.
    """
    possible = np.flatnonzero(can_end)
    if not len(possible):
        raise NotEnoughData(
            f"{what}: a window is longer than the history of {len(can_end)} rows, or than what is known of it.",
            remedy="Bring a longer history or shorten the window by --length.",
        )
    if moments.at:
        rows = [_row_at(to_ms(moment), close_time_ms, what, exact=exact) for moment in moments.at]
        for row in rows:
            if not can_end[row]:
                raise NotEnoughData(
                    f"{what}: there is not enough history before {utc(int(close_time_ms[row]))} UTC to fill a window.",
                    remedy=f"The first window closes at {utc(int(close_time_ms[possible[0]]))} UTC.",
                )
        return np.unique(np.array(rows, dtype=np.int64))
    first = 0 if moments.start is None else int(np.searchsorted(close_time_ms, to_ms(moments.start)))
    stop = len(can_end) if moments.end is None else int(np.searchsorted(close_time_ms, to_ms(moments.end), "right"))
    within = possible[(possible >= first) & (possible < stop)]
    if not len(within):
        first_ms, last_ms = (int(close_time_ms[possible[i]]) for i in (0, -1))
        raise DataError(
            f"{what}: no window closes {moments.words}.",
            remedy=f"Windows close from {utc(first_ms)} to {utc(last_ms)} UTC.",
        )
    most = moments.last if moments.has_period else 1
    chosen = within[::-1][:: moments.every or 1][:most]
    return np.ascontiguousarray(chosen[::-1])


def choose_whole(
    moments: Moments,
    close_time_ms: NDArray[np.int64],
    whole: NDArray[np.bool_],
    any_: NDArray[np.bool_],
    *,
    what: str,
    exact: bool,
) -> tuple[NDArray[np.int64], int]:
    """As `choose`, of the windows that cross no hole: (rows at which they end, how many were left out).

    `whole` tells where a window ends that crosses none, `any_` where one ends at all. A window that was asked for by
    its time is never left out: NotEnoughData says that it crosses a hole. Without a period the last whole window is
    taken.
    """
    if not whole.any() and any_.any():
        raise NotEnoughData(
            f"{what}: every window crosses a hole in the history.", remedy="Shorten the window by --length."
        )
    asked = choose(moments, close_time_ms, any_, what=what, exact=exact)
    kept = asked[whole[asked]]
    if moments.at and len(kept) < len(asked):
        crossing = asked[~whole[asked]][0]
        raise NotEnoughData(
            f"{what}: the window that closes at {utc(int(close_time_ms[crossing]))} UTC crosses a hole in the history.",
            remedy="Name another time, shorten the window by --length, or draw jkx, which leaves holes blank.",
        )
    if not len(kept) and moments.has_period:
        raise NotEnoughData(
            f"{what}: all {len(asked):,} windows that were asked for cross a hole in the history.",
            remedy="Ask for another time, or shorten the window by --length.",
        )
    if not len(kept):
        kept = np.flatnonzero(whole)[-1:]
    return kept, len(asked) - len(asked[whole[asked]])


def _row_at(time_ms: int, close_time_ms: NDArray[np.int64], what: str, *, exact: bool) -> int:
    row = int(np.searchsorted(close_time_ms, time_ms, "right")) - 1
    if row >= 0 and (close_time_ms[row] == time_ms or (not exact and time_ms <= close_time_ms[-1])):
        return row
    near = [int(close_time_ms[i]) for i in (row, row + 1) if 0 <= i < len(close_time_ms)]
    raise DataError(
        f"{what}: nothing closes at {utc(time_ms)} UTC.",
        remedy=f"Nearest: {' and '.join(utc(time) for time in near)} UTC.",
    )
