"""The shared words of the house. Imports nothing of ours."""

from triptych.domain.book import BOOK_FIELDS, BookSnapshot, BookUpdate, book_columns, is_book_column
from triptych.domain.candle import CANDLE_FIELDS, CLOSE, HIGH, LOW, OPEN, VOLUME, Candle, utc
from triptych.domain.clock import AbstractClock, ManualClock, SystemClock
from triptych.domain.config import Config
from triptych.domain.instrument import Instrument
from triptych.domain.listing import Listing
from triptych.domain.order import (
    CancelOrder,
    Command,
    ExchangeEvent,
    FillReason,
    FundingPaid,
    MoveStop,
    OrderCancelled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderType,
    Side,
    SubmitOrder,
)
from triptych.domain.position import Position
from triptych.domain.report import OrderReport, OrderStatus, PositionReport, StreamState, WalletReport
from triptych.domain.series import CandleSeries
from triptych.domain.signal import BUY, CLASSES, HOLD, REGIMES, SELL, Foretold, Prediction, Signal, Vote
from triptych.domain.ticks import CandleUpdate, FundingRate, Ticker, Trade
from triptych.domain.timeframe import Timeframe

__all__ = [
    "BOOK_FIELDS",
    "BUY",
    "CANDLE_FIELDS",
    "CLASSES",
    "CLOSE",
    "HIGH",
    "HOLD",
    "LOW",
    "OPEN",
    "REGIMES",
    "SELL",
    "VOLUME",
    "AbstractClock",
    "BookSnapshot",
    "BookUpdate",
    "CancelOrder",
    "Candle",
    "CandleSeries",
    "CandleUpdate",
    "Command",
    "Config",
    "ExchangeEvent",
    "FillReason",
    "Foretold",
    "FundingPaid",
    "FundingRate",
    "Instrument",
    "Listing",
    "ManualClock",
    "MoveStop",
    "OrderCancelled",
    "OrderDenied",
    "OrderFilled",
    "OrderRejected",
    "OrderReport",
    "OrderStatus",
    "OrderType",
    "Position",
    "PositionReport",
    "Prediction",
    "Side",
    "Signal",
    "StreamState",
    "SubmitOrder",
    "SystemClock",
    "Ticker",
    "Timeframe",
    "Trade",
    "Vote",
    "WalletReport",
    "book_columns",
    "is_book_column",
    "utc",
]
