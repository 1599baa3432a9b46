"""Measures of the order book as it stood when each candle closed; unknown at candles beside which no book is known.

They need candles that carry books (`CandleSeries.books`); none of them is in a set of factors of candles.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from triptych.features._history import History
from triptych.features.book_measures import (
    imbalance,
    log_depth,
    microprice_bp,
    slope_log_ratio,
    spread_bp,
    walked_cost_bp,
)
from triptych.features.factor import Factor, Family

_factor = Family("book")
_USUAL: Final = 10
"""Closes over which the size is averaged that a side usually holds. All must be known: the mean of fewer would differ
live, where books are heard from the start of the session on, from that of a replay."""
_SHARE: Final = 0.5


def _cost(history: History, side: int) -> NDArray[np.float64]:
    book = history.book(10)
    resting = np.nansum(book.ask_sizes if side == 1 else book.bid_sizes, axis=1)
    resting = np.where(np.isnan(book.mid), np.nan, resting)
    usual = np.full(len(resting), np.nan)
    if len(resting) >= _USUAL:
        usual[_USUAL - 1 :] = sliding_window_view(resting, _USUAL).mean(axis=1)
    usual = np.where(usual > 0, usual, np.nan)
    return walked_cost_bp(book, _SHARE * usual, side, beyond=True)


FACTORS: Final[tuple[Factor, ...]] = (
    _factor(
        "queue_imbalance",
        0,
        lambda h: imbalance(h.book(1)),
        "(bid size - ask size) / (bid size + ask size) at the best prices, from -1 to 1",
        "ratio",
        levels=1,
    ),
    _factor(
        "queue_imbalance_5", 0, lambda h: imbalance(h.book(5)), "the same over the best 5 levels", "ratio", levels=5
    ),
    _factor(
        "queue_imbalance_10", 0, lambda h: imbalance(h.book(10)), "the same over the best 10 levels", "ratio", levels=10
    ),
    _factor("spread_bp", 0, lambda h: spread_bp(h.book(1)), "(best ask - best bid) / mid", "basis points", levels=1),
    _factor(
        "microprice_bp",
        0,
        lambda h: microprice_bp(h.book(1)),
        "(microprice - mid) / mid; the microprice weighs bid and ask by the size of the other side",
        "basis points",
        levels=1,
    ),
    _factor(
        "book_slope_10",
        0,
        lambda h: slope_log_ratio(h.book(10)),
        "log(slope of the bids / slope of the asks): size a basis point away from the mid, 10 levels",
        "logarithm",
        levels=10,
    ),
    _factor(
        "book_depth_10", 0, lambda h: log_depth(h.book(10)), "log(size of the best 10 levels of both sides)",
        "logarithm", levels=10,
    ),
    _factor(
        "buy_cost_bp_10", _USUAL - 1, lambda h: _cost(h, 1),
        "cost of a market order for half the size that the 10 best asks usually hold, against the mid; usual is the "
        "mean of the last 10 closes, and what the levels do not fill is filled at the last of them",
        "basis points", levels=10,
    ),
    _factor(
        "sell_cost_bp_10", _USUAL - 1, lambda h: _cost(h, -1), "the same of a sale to the 10 best bids", "basis points",
        levels=10,
    ),
)  # fmt: skip
"""To add a factor, add a line; `levels` says how many a side it reads."""
