"""How old the last longer candle is, where a market closes: nights, weekends and holidays are no age, an outage is one.

At the first candle of the morning the last candle of 1h closed the evening before. Nothing has happened since, so it is
as fresh as it was then. When a market closes is told by `closed_times` from the holes before a hole: never from what
comes after.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.inference.base import AbstractView
from triptych.inference.closing_times import LONGEST_HOLIDAY_MS, LOOK_BACK, NO_PAST, closed_times

AROUND_THE_CLOCK: Final = 9
"""Candles of a market that never closes to one of a market that does, at most: 168 hours a week to 20 in China."""
OF_HOLIDAYS: Final = LONGEST_HOLIDAY_MS // 60_000
"""The most that it has while the other one is closed for holidays: candles of 1m."""


def closed_beside(candles: int) -> int:
    """Candles that a market around the clock may have more than one that closes, in the time of so many of that one."""
    return AROUND_THE_CLOCK * candles + OF_HOLIDAYS


def has_holes(series: CandleSeries) -> bool:
    """Whether any candle is missing between the first and the last: of a market around the clock none is, but for
    outages, and nothing needs to be told.
    """
    return len(series) > 1 and bool(np.diff(series.open_time_ms).max() > series.timeframe.milliseconds)


def ages_ms(
    series: CandleSeries,
    since_ms: NDArray[np.int64],
    past_ms: NDArray[np.int64] = NO_PAST,
    *,
    memory: int | None = None,
) -> NDArray[np.int64]:
    """Time from `since_ms` to each close of a history in which the market was open, or out; shape (n_candles,).

    Args:
        series: the history whose holes tell when the market was closed.
        since_ms: a time by candle, at its close or before, UTC milliseconds, shape (n_candles,).
        past_ms: open times of candles before the history, by which its first holes are told.
        memory: see `closed_times`.
    """
    times = np.concatenate([past_ms, series.open_time_ms])
    begin_ms, end_ms = closed_times(times, series.timeframe.milliseconds, memory=memory)
    closed = np.cumsum(end_ms - begin_ms)
    first = np.searchsorted(times, since_ms)  # the first candle that opened then or later
    # Beyond the last candle nothing has been missed yet; of a hole that `since_ms` lies in, only the rest counts.
    within = np.minimum(first, len(times) - 1)
    rest = np.maximum(end_ms[within] - np.maximum(since_ms, begin_ms[within]), 0)
    until = np.where(first < len(times), closed[within] - rest, closed[-1])
    found: NDArray[np.int64] = series.close_time_ms - since_ms - (closed[len(past_ms) :] - until)
    return found


def past_matters(view: AbstractView, own: CandleSeries, look_back: int) -> bool:
    """Whether a history that has just been asked for, or the candles before it that a companion's last longer candle
    may be as old as, have holes to be told.
    """
    if look_back <= LOOK_BACK or has_holes(own):
        return look_back > 0 and has_holes(own)
    reached = view.latest(own.symbol, len(own) + look_back - LOOK_BACK)
    return reached is not None and has_holes(reached)


def past_of(view: AbstractView, own: CandleSeries, look_back: int) -> NDArray[np.int64]:
    """Open times of up to `look_back` candles before a history that has just been asked for, where they are needed.

    They tell its nights from outages; a history without a hole has none to tell.
    """
    if not past_matters(view, own, look_back):
        return NO_PAST
    known = view.latest(own.symbol, len(own) + look_back)
    return NO_PAST if known is None else known.open_time_ms[: -len(own)]


def beside_now(
    view: AbstractView, own: CandleSeries, others: Iterable[str], length: int, look_back: int
) -> dict[str, CandleSeries] | None:
    """The last `length` candles of companions, by symbol; None where one has fewer.

    Of a companion that does not trade at the very same times, so many may reach less far back, or have settled too
    late: up to `look_back` more are given, so that it has `length` candles before the first of `own`, and is known from
    there on as it is of a whole history.
    """
    found = {}
    for other in others:
        one = view.history(other, length)
        if one is None:
            return None
        if look_back and not np.array_equal(one.open_time_ms, own.open_time_ms):
            more = view.latest(other, length + look_back) or one
            first = int(np.searchsorted(more.open_time_ms, own.open_time_ms[0]))
            one = more.between(max(0, first - length), len(more))
        found[other] = one
    return found
