"""What a venue says of the market as it happens: growing candles, trades, tickers, funding rates."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal

from triptych.domain.candle import Candle
from triptych.domain.order import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class CandleUpdate:
    """A candle as it stands. Only one that `is_closed` may be decided on; an open one still changes.

    `turnover` is in quote currency; `time_ms` is when the venue made the message, UTC.
    """

    candle: Candle
    is_closed: bool
    time_ms: int
    turnover: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """A trade of the public tape. `side` is the aggressor's; price in quote currency, size in base units."""

    symbol: str
    trade_id: str
    time_ms: int
    side: Side
    price: Decimal
    size: Decimal
    is_block_trade: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticker:
    """The latest figures of an instrument. None: the venue does not give it, or (in a delta) it has not changed.

    Prices in quote currency, sizes and open interest in base units, the funding rate as a fraction per interval.
    """

    symbol: str
    time_ms: int
    is_snapshot: bool
    last_price: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    bid_price: Decimal | None = None
    bid_size: Decimal | None = None
    ask_price: Decimal | None = None
    ask_size: Decimal | None = None
    open_interest: Decimal | None = None
    volume_24h: Decimal | None = None
    turnover_24h: Decimal | None = None
    funding_rate: Decimal | None = None
    next_funding_ms: int | None = None
    funding_interval_hours: int | None = None

    def after(self, update: Ticker) -> Ticker:
        """This ticker brought up to date: a snapshot replaces it, a delta replaces what it names.

        A message that is older than what is known changes nothing.
        """
        if update.time_ms < self.time_ms:
            return self
        if update.is_snapshot:
            return update
        known = {field.name: getattr(update, field.name) for field in fields(update)}
        changes = {name: value for name, value in known.items() if value is not None and name != "is_snapshot"}
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class FundingRate:
    """A funding rate that was charged: a fraction of the notional that longs paid to shorts at `time_ms` (UTC)."""

    symbol: str
    time_ms: int
    rate: Decimal
