"""Public messages, streamed and asked for, in our words. Pure functions: no socket, no clock."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from triptych.domain import BookUpdate, Candle, CandleUpdate, FundingRate, Instrument, Listing, Ticker, Timeframe, Trade
from triptych.domain.errors import CandleError, OrderError, ProtocolError
from triptych.exchanges.bybit.envelopes import Data
from triptych.exchanges.bybit.fields import Fields, levels
from triptych.exchanges.bybit.words import SIDES, TIMEFRAMES, VENUE

NS_PER_MS = 1_000_000
PublicMessage = CandleUpdate | BookUpdate | Trade | Ticker


def parse_public(data: Data, *, local_time_ns: int | None = None) -> list[PublicMessage]:
    """What a message of a public topic says. Raises ProtocolError, also for a topic that was never subscribed to."""
    topic, _, rest = data.topic.partition(".")
    if topic == "orderbook":
        return [book_update(data, local_time_ns=local_time_ns)]
    if topic == "kline":
        return list(candle_updates(data))
    if topic == "publicTrade":
        return list(trades(data))
    if topic == "tickers" and rest:
        return [ticker(data)]
    raise ProtocolError(f"{data.topic}: not a topic that is understood here.")


def candle_updates(data: Data) -> list[CandleUpdate]:
    """`kline.{interval}.{symbol}`."""
    message = Fields(data.content, data.topic)
    symbol = _symbol_of(data.topic, parts=3)
    updates = []
    for row in message.items("data", data.topic):
        timeframe = row.choice("interval", TIMEFRAMES)
        prices = [row.decimal(name) for name in ("open", "high", "low", "close", "volume")]
        updates.append(
            CandleUpdate(
                candle=_candle(symbol, timeframe, row.integer("start"), prices, data.topic),
                is_closed=row.flag("confirm"),
                time_ms=row.integer("timestamp"),
                turnover=row.optional_decimal("turnover"),
            )
        )
    return updates


def book_update(data: Data, *, local_time_ns: int | None = None) -> BookUpdate:
    """`orderbook.{depth}.{symbol}`. The venue's time is `ts`, when it made the message."""
    content = data.content
    said, kind, time_ms = content.get("data"), content.get("type"), content.get("ts")
    if type(said) is dict and type(time_ms) is int and (kind == "delta" or kind == "snapshot"):
        # Thousands a second come in this form; whatever is not quite so is read below, where the error is worded.
        symbol, number, sequence = said.get("s"), said.get("u"), said.get("seq")
        if symbol and type(symbol) is str and type(number) is int and type(sequence) is int:
            try:
                return BookUpdate(
                    symbol=symbol, is_snapshot=kind == "snapshot", bids=levels(said.get("b")),
                    asks=levels(said.get("a")), update_id=number, sequence=sequence,
                    exchange_time_ns=time_ms * NS_PER_MS, local_time_ns=local_time_ns,
                )  # fmt: skip
            except (TypeError, ValueError, InvalidOperation):
                pass
    message = Fields(content, data.topic)
    book = message.fields("data", data.topic)
    return BookUpdate(
        symbol=book.text("s"), is_snapshot=message.choice("type", {"snapshot": True, "delta": False}),
        bids=book.pairs("b"), asks=book.pairs("a"), update_id=book.integer("u"), sequence=book.optional_integer("seq"),
        exchange_time_ns=message.integer("ts") * NS_PER_MS, local_time_ns=local_time_ns,
    )  # fmt: skip


def book_snapshot(result: Fields, *, local_time_ns: int | None = None) -> BookUpdate:
    """GET /v5/market/orderbook."""
    return BookUpdate(
        symbol=result.text("s"), is_snapshot=True, bids=result.pairs("b"), asks=result.pairs("a"),
        update_id=result.integer("u"), sequence=result.optional_integer("seq"),
        exchange_time_ns=result.integer("ts") * NS_PER_MS, local_time_ns=local_time_ns,
    )  # fmt: skip


def trades(data: Data) -> list[Trade]:
    """`publicTrade.{symbol}`, in the order of the message."""
    return [
        Trade(
            symbol=row.text("s"), trade_id=row.text("i"), time_ms=row.integer("T"), side=row.choice("S", SIDES),
            price=row.decimal("p"), size=row.decimal("v"), is_block_trade=row.flag("BT", False),
        )
        for row in Fields(data.content, data.topic).items("data", data.topic)
    ]  # fmt: skip


def recent_trades(result: Fields) -> list[Trade]:
    """GET /v5/market/recent-trade, oldest first (the venue sends the newest first)."""
    rows = [
        Trade(
            symbol=row.text("symbol"), trade_id=row.text("execId"), time_ms=row.integer("time"),
            side=row.choice("side", SIDES), price=row.decimal("price"), size=row.decimal("size"),
            is_block_trade=row.flag("isBlockTrade", False),
        )
        for row in result.items("list")
    ]  # fmt: skip
    return rows[::-1]


def ticker(data: Data) -> Ticker:
    """`tickers.{symbol}`: a snapshot, or a delta that leaves out what has not changed."""
    message = Fields(data.content, data.topic)
    is_snapshot = message.choice("type", {"snapshot": True, "delta": False})
    return _ticker(message.fields("data", data.topic), message.integer("ts"), is_snapshot)


def tickers(result: Fields, time_ms: int) -> list[Ticker]:
    """GET /v5/market/tickers."""
    return [_ticker(row, time_ms, True) for row in result.items("list")]


def _ticker(row: Fields, time_ms: int, is_snapshot: bool) -> Ticker:
    def first(*names: str) -> Decimal | None:
        return next((row.optional_decimal(name) for name in names if row.has(name)), None)

    return Ticker(
        symbol=row.text("symbol"), time_ms=time_ms, is_snapshot=is_snapshot,
        last_price=row.optional_decimal("lastPrice"), mark_price=row.optional_decimal("markPrice"),
        index_price=row.optional_decimal("indexPrice"),
        bid_price=first("bid1Price", "bidPrice"), bid_size=first("bid1Size", "bidSize"),
        ask_price=first("ask1Price", "askPrice"), ask_size=first("ask1Size", "askSize"),
        open_interest=row.optional_decimal("openInterest"), volume_24h=row.optional_decimal("volume24h"),
        turnover_24h=row.optional_decimal("turnover24h"), funding_rate=row.optional_decimal("fundingRate"),
        next_funding_ms=row.moment("nextFundingTime"),
        funding_interval_hours=row.optional_integer("fundingIntervalHour"),
    )  # fmt: skip


def candles(result: Fields, symbol: str, timeframe: Timeframe) -> list[Candle]:
    """GET /v5/market/kline, oldest first (the venue sends the newest first). The last one may still be open."""
    found = result.text_or_empty("symbol")
    if found not in ("", symbol):
        raise ProtocolError(f"{result.what}: asked for candles of {symbol}, was sent those of {found}.")
    rows = [_candle_row(row, symbol, timeframe, result.what) for row in result.list("list")]
    rows.reverse()
    for earlier, later in itertools.pairwise(rows):
        if earlier.open_time_ms >= later.open_time_ms:
            raise ProtocolError(f"{result.what}: candles out of order at {later.open_time_ms}.")
    return rows


def _candle_row(row: Any, symbol: str, timeframe: Timeframe, what: str) -> Candle:
    """[start, open, high, low, close, volume, turnover]; rows of mark, index and premium prices end with close."""
    if not isinstance(row, list) or len(row) < 5:
        raise ProtocolError(f"{what}: expected a candle of 5 or 7 values, was {row}.")
    fields = Fields(dict(zip(("start", "open", "high", "low", "close", "volume"), row, strict=False)), what)
    prices = [fields.decimal(name) for name in ("open", "high", "low", "close")]
    volume = fields.decimal("volume") if len(row) > 5 else Decimal(0)
    return _candle(symbol, timeframe, fields.integer("start"), [*prices, volume], what)


def _candle(symbol: str, timeframe: Timeframe, open_time_ms: int, values: Sequence[Decimal], what: str) -> Candle:
    open_, high, low, close, volume = (float(value) for value in values)
    try:
        return Candle(
            symbol=symbol, timeframe=timeframe, open_time_ms=open_time_ms,
            open=open_, high=high, low=low, close=close, volume=volume,
        )  # fmt: skip
    except CandleError as error:
        raise ProtocolError(f"{what}: {error.message}") from error


def listings(result: Fields, category: str) -> list[Listing]:
    """One page of GET /v5/market/instruments-info."""
    return [_listing(row, category) for row in result.items("list")]


def _listing(row: Fields, category: str) -> Listing:
    lots, prices = row.fields("lotSizeFilter"), row.fields("priceFilter")
    leverage = row.fields("leverageFilter").optional_decimal("maxLeverage") if row.has("leverageFilter") else None
    most = lots.optional_decimal("maxOrderQty")
    most_at_market = lots.optional_decimal("maxMktOrderQty") or lots.optional_decimal("maxMarketOrderQty")
    try:
        instrument = Instrument(
            symbol=row.text("symbol"),
            venue=VENUE,
            price_step=prices.decimal("tickSize"),
            quantity_step=lots.decimal("qtyStep" if lots.has("qtyStep") else "basePrecision"),
            minimum_quantity=lots.optional_decimal("minOrderQty") or Decimal(0),
            minimum_notional=lots.optional_decimal(
                "minNotionalValue" if lots.has("minNotionalValue") else "minOrderAmt"
            )
            or Decimal(0),
            maximum_leverage=leverage or Decimal(1),
            maximum_quantity=most,
            maximum_market_quantity=most_at_market,
        )
    except OrderError as error:
        raise ProtocolError(f"{row.what}: {error.message}") from error
    return Listing(
        instrument=instrument, category=category, kind=row.text_or_empty("contractType"), status=row.text("status"),
        base=row.text("baseCoin"), quote=row.text("quoteCoin"), settle=row.text_or_empty("settleCoin"),
        maximum_quantity=most, maximum_market_quantity=most_at_market,
        funding_interval_minutes=row.optional_integer("fundingInterval"),
        launch_ms=row.moment("launchTime"), delivery_ms=row.moment("deliveryTime"),
    )  # fmt: skip


def funding_rates(result: Fields) -> list[FundingRate]:
    """GET /v5/market/funding/history, oldest first (the venue sends the newest first)."""
    rows = [
        FundingRate(
            symbol=row.text("symbol"), time_ms=row.integer("fundingRateTimestamp"), rate=row.decimal("fundingRate")
        )
        for row in result.items("list")
    ]
    return rows[::-1]


def _symbol_of(topic: str, *, parts: int) -> str:
    pieces = topic.split(".", parts - 1)
    if len(pieces) != parts or not all(pieces):
        raise ProtocolError(f"{topic}: expected a topic of {parts} parts.")
    return pieces[-1]
