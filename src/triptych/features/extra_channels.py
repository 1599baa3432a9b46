"""What an anomaly detector may read of an instrument beside its candles: the order book at each close, and funding.

Each value was known when its candle closed. One that was not is NaN, and the detector's policy for bad rows decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from triptych.features.book_measures import BP, Sides, imbalance, spread_bp

Extra = Literal["spread", "depth_imbalance", "funding"]
"""A channel beyond those of the candles."""
EXTRAS: Final[tuple[Extra, ...]] = get_args(Extra)
"""All of them, in the order in which they stand behind the candles' channels of an instrument."""
LEVELS: Final = 5
"""Levels a side of the order book over which `depth_imbalance` is taken."""
FUNDING_LASTS_MS: Final = 86_400_000
"""A funding rate that was charged longer ago is none: venues charge every one to eight hours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FundingHistory:
    """Funding rates that were charged on an instrument.

    Attributes:
        time_ms: int64 (n,), rising, UTC milliseconds: when each was charged.
        rate: float64 (n,): fraction of the notional that longs paid to shorts.
    """

    time_ms: NDArray[np.int64]
    rate: NDArray[np.float64]


NO_FUNDING: Final[Mapping[str, FundingHistory]] = MappingProxyType({})
"""No history of funding of any symbol."""


def levels_of(extras: Collection[str]) -> int:
    """Levels a side of order book that these channels read; 0: none."""
    return LEVELS if "depth_imbalance" in extras else 1 if "spread" in extras else 0


def book_channels(book: Sides | None, extras: Collection[str], count: int) -> dict[str, NDArray[np.float64]]:
    """Those of `extras` that are made of the order book, each float64 (count,); NaN where no book is known.

    - spread: log(1 + best ask less best bid in basis points of the mid).
    - depth_imbalance: (bid size - ask size) / (bid size + ask size) over the best `LEVELS` levels, -1 to 1.
    """
    found: dict[str, NDArray[np.float64]] = {}
    if "spread" in extras:
        found["spread"] = np.full(count, np.nan) if book is None else np.log1p(np.maximum(spread_bp(book), 0.0))
    if "depth_imbalance" in extras:
        known = np.full(count, np.nan) if book is None else imbalance(book.top(LEVELS))
        # A side may be empty, but a book without a best price on both is none.
        found["depth_imbalance"] = known if book is None else np.where(np.isfinite(book.mid), known, np.nan)
    return found


def funding_channel(history: FundingHistory | None, close_time_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rate that was last charged by each close, in basis points; NaN where that was over a day ago or never."""
    if history is None or not len(history.time_ms):
        return np.full(len(close_time_ms), np.nan)
    last = np.searchsorted(history.time_ms, close_time_ms, side="right") - 1
    at = np.maximum(last, 0)
    known = (last >= 0) & (close_time_ms - history.time_ms[at] <= FUNDING_LASTS_MS)
    return np.where(known, history.rate[at] * BP, np.nan)
