"""Order books: a live book that knows when it is whole, recordings, importers, features, windows beside candles.

Each name is imported when it is first asked for: a live book needs no data frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triptych.domain.on_demand import on_demand

if TYPE_CHECKING:
    from triptych.market.books.candles import candles_from_mids, candles_from_trades
    from triptych.market.books.closing import ClosingBook
    from triptych.market.books.events import BookEvents, events_of, join_events
    from triptych.market.books.features import (
        BookFeaturesConfig,
        book_features,
        depth_within,
        microprice,
        order_flow_imbalance,
        queue_imbalance,
        reach_bp,
        realised_volatility,
        slope,
        spread_bp,
    )
    from triptych.market.books.formats.fi2010 import Fi2010, read_fi2010
    from triptych.market.books.live import LiveBook
    from triptych.market.books.order_book import BookResult, OrderBook
    from triptych.market.books.reading import Format, detect, read_book_events, read_books
    from triptych.market.books.recording import BookRecorder, read_events, write_events
    from triptych.market.books.replaying import Replayed, replay
    from triptych.market.books.sampling import BookSample, BookWindows, book_windows, sample_at
    from triptych.market.books.sequence import BookStatus, Protocol
    from triptych.market.books.tape import BookTape, join_tapes, write_tape
    from triptych.market.books.trades import Trades, read_trades

__all__ = [
    "BookEvents",
    "BookFeaturesConfig",
    "BookRecorder",
    "BookResult",
    "BookSample",
    "BookStatus",
    "BookTape",
    "BookWindows",
    "ClosingBook",
    "Fi2010",
    "Format",
    "LiveBook",
    "OrderBook",
    "Protocol",
    "Replayed",
    "Trades",
    "book_features",
    "book_windows",
    "candles_from_mids",
    "candles_from_trades",
    "depth_within",
    "detect",
    "events_of",
    "join_events",
    "join_tapes",
    "microprice",
    "order_flow_imbalance",
    "queue_imbalance",
    "reach_bp",
    "read_book_events",
    "read_books",
    "read_events",
    "read_fi2010",
    "read_trades",
    "realised_volatility",
    "replay",
    "sample_at",
    "slope",
    "spread_bp",
    "write_events",
    "write_tape",
]

_HOMES: Final = {
    "candles": ("candles_from_mids", "candles_from_trades"),
    "closing": ("ClosingBook",),
    "events": ("BookEvents", "events_of", "join_events"),
    "features": (
        "BookFeaturesConfig",
        "book_features",
        "depth_within",
        "microprice",
        "order_flow_imbalance",
        "queue_imbalance",
        "reach_bp",
        "realised_volatility",
        "slope",
        "spread_bp",
    ),
    "formats.fi2010": ("Fi2010", "read_fi2010"),
    "live": ("LiveBook",),
    "order_book": ("BookResult", "OrderBook"),
    "reading": ("Format", "detect", "read_book_events", "read_books"),
    "recording": ("BookRecorder", "read_events", "write_events"),
    "replaying": ("Replayed", "replay"),
    "sampling": ("BookSample", "BookWindows", "book_windows", "sample_at"),
    "sequence": ("BookStatus", "Protocol"),
    "tape": ("BookTape", "join_tapes", "write_tape"),
    "trades": ("Trades", "read_trades"),
}

__getattr__, __dir__ = on_demand(__name__, _HOMES)
