"""The venue's words and ours."""

from __future__ import annotations

from typing import Final, Literal

from triptych.domain import OrderStatus, Side, Timeframe
from triptych.domain.errors import DataError

Category = Literal["spot", "linear", "inverse", "option"]

VENUE: Final = "bybit"
SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}
SIDE_WORDS: Final = {side: word for word, side in SIDES.items()}
STATUSES: Final = {
    "Created": OrderStatus.OPEN,
    "New": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Untriggered": OrderStatus.UNTRIGGERED,
    "Triggered": OrderStatus.OPEN,
    "Active": OrderStatus.OPEN,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
"""`Deactivated`: a conditional order withdrawn before it was triggered."""

_CODES: Final = {
    "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120", "4h": "240", "6h": "360",
    "12h": "720", "1d": "D", "1w": "W",
}  # fmt: skip
INTERVALS: Final = {Timeframe.parse(text): code for text, code in _CODES.items()}
"""The candles the venue makes. Its months (M) have no fixed length and no place among our timeframes."""
TIMEFRAMES: Final = {code: timeframe for timeframe, code in INTERVALS.items()}


def interval(timeframe: Timeframe) -> str:
    """The venue's name of a timeframe. Raises DataError for one that it does not make."""
    if timeframe not in INTERVALS:
        raise DataError(
            f"Bybit has no candles of {timeframe}.",
            remedy=f"Choose one of {', '.join(_CODES)}; others can be made of them by resampling.",
        )
    return INTERVALS[timeframe]
