"""The market's side of the server: candles, tickers, trades and a book made around the last price."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from triptych.domain import Candle, Instrument, Timeframe
from triptych.exchanges.bybit.orders import plain
from triptych.exchanges.bybit.words import INTERVALS, TIMEFRAMES
from triptych.exchanges.simulated.costs import Config, decimal
from triptych.exchanges.simulated.server.recording import Recording
from triptych.exchanges.simulated.server.refusal import Refusal
from triptych.exchanges.simulated.server.tape import Tape

DEPTHS = (1, 50, 200, 1000)
_LEVELS = 25
"""Levels a side of the invented book."""

Message = tuple[str, dict[str, Any]]


class PublicMarket:
    """What everybody may hear: what was recorded, and the rest is invented.

    The best prices of an invented book lie half the configured spread from the close. `held` says what is open of an
    instrument, unsigned.
    """

    def __init__(
        self,
        tape: Tape,
        costs: Config,
        recording: Recording | None = None,
        *,
        held: Callable[[str], Decimal] = lambda _symbol: Decimal(0),
    ) -> None:
        self.tape, self._held = tape, held
        self._recording = recording
        self.instruments: dict[str, Instrument] = {one.symbol: one for one in tape.instruments}
        self.last: dict[str, Candle] = {}
        self._half_spread = decimal(costs.half_spread_bp) / 10_000
        self._funding = decimal(costs.funding_rate)
        self._funding_hours = costs.funding_interval_hours
        self._books: dict[str, dict[str, dict[str, str]]] = {}
        self._update = 0
        self._trades = 0

    def learn(self, candles: list[Candle]) -> None:
        """Candles that have closed."""
        for candle in candles:
            self.last[candle.symbol] = candle
            self._books[candle.symbol] = self._book(candle)

    def step(self, candles: list[Candle]) -> list[Message]:
        """The messages of candles that have just closed: book, ticker, trade, then every candle that closed."""
        before = {one.symbol: self._books.get(one.symbol, {"b": {}, "a": {}}) for one in candles}
        self.learn(candles)
        self._update += 1
        messages: list[Message] = []
        for candle in candles:
            messages += self._deltas(candle.symbol, before[candle.symbol])
            messages.append((f"tickers.{candle.symbol}", self.ticker_message(candle.symbol)))
            messages.append((f"publicTrade.{candle.symbol}", self._trade_message(candle)))
        for candle in candles:
            messages += self._candle_messages(candle.symbol)
        if self._recording is None:
            return messages
        told = self._recording.up_to(self.tape.now_ms, self.tape.timeframe, [one.symbol for one in candles])
        return told + [one for one in messages if one[0] not in self._recording.topics]

    def begin(self) -> None:
        """What was recorded before the start is known."""
        if self._recording is not None:
            self._recording.up_to(self.tape.now_ms, self.tape.timeframe)

    def snapshot(self, topic: str) -> dict[str, Any] | None:
        """What a new subscriber hears at once: book or ticker. Raises Refusal for a topic that does not exist."""
        kind, *rest = topic.split(".")
        symbol = rest[-1] if rest else ""
        known = symbol in self.instruments
        if self._recording is not None and topic in self._recording.topics:
            return self._recording.snapshot(topic)
        if kind == "orderbook" and len(rest) == 2 and known and rest[0].isdigit() and int(rest[0]) in DEPTHS:
            return self._book_message(symbol, int(rest[0]), "snapshot", self._books.get(symbol, {"b": {}, "a": {}}))
        if kind == "tickers" and len(rest) == 1 and known:
            return self.ticker_message(symbol) if symbol in self.last else None
        if kind == "publicTrade" and len(rest) == 1 and known:
            return None
        if kind == "kline" and len(rest) == 2 and known and rest[0] in TIMEFRAMES:
            return None
        raise Refusal(10001, f"error:handler not found,topic:{topic}")

    def candles(self, symbol: str, code: str, start_ms: int | None, end_ms: int | None, limit: int) -> list[list[str]]:
        """Rows of GET /v5/market/kline, newest first. Raises Refusal."""
        if symbol not in self.instruments:
            raise Refusal(10001, "params error: symbol invalid")
        if code not in TIMEFRAMES:
            raise Refusal(10001, "Invalid period!")
        found = self.tape.candles(symbol, TIMEFRAMES[code], start_ms, end_ms, min(limit, 1000))
        return [
            [str(one.open_time_ms), *_prices(one), _text(one.volume), _text(one.volume * one.close)] for one in found
        ]

    def book(self, symbol: str, depth: int) -> dict[str, Any]:
        """GET /v5/market/orderbook."""
        recorded = self._recording.snapshot(f"orderbook.{depth}.{symbol}") if self._recording is not None else None
        message = recorded or self._book_message(symbol, depth, "snapshot", self._books.get(symbol, {"b": {}, "a": {}}))
        data: dict[str, Any] = message["data"]
        return data | {"ts": message["ts"], "cts": message["cts"]}

    def ticker(self, symbol: str) -> dict[str, Any]:
        """A row of GET /v5/market/tickers."""
        recorded = self._recording.snapshot(f"tickers.{symbol}") if self._recording is not None else None
        if recorded is not None:
            said: dict[str, Any] = recorded["data"]
            return said
        candle, book = self.last[symbol], self._books[symbol]
        (bid, bid_size), (ask, ask_size) = next(iter(book["b"].items())), next(iter(book["a"].items()))
        close, held = _text(candle.close), self._held(symbol)
        interval_ms = self._funding_hours * 3_600_000
        return {
            "symbol": symbol, "lastPrice": close, "markPrice": close, "indexPrice": close, "bid1Price": bid,
            "bid1Size": bid_size, "ask1Price": ask, "ask1Size": ask_size, "prevPrice24h": _text(candle.open),
            "price24hPcnt": "0", "highPrice24h": _text(candle.high), "lowPrice24h": _text(candle.low),
            "prevPrice1h": _text(candle.open), "openInterest": plain(held),
            "openInterestValue": plain(held * decimal(candle.close)),
            "turnover24h": _text(candle.volume * candle.close), "volume24h": _text(candle.volume),
            "fundingRate": plain(self._funding), "fundingIntervalHour": str(self._funding_hours),
            "nextFundingTime": str((self.tape.now_ms // interval_ms + 1) * interval_ms), "tickDirection": "PlusTick",
        }  # fmt: skip

    def ticker_message(self, symbol: str) -> dict[str, Any]:
        """`tickers.{symbol}`, always whole."""
        now = self.tape.now_ms
        return {"topic": f"tickers.{symbol}", "type": "snapshot", "data": self.ticker(symbol), "cs": now, "ts": now}

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> list[dict[str, str]]:
        """Rows of GET /v5/market/funding/history, newest first."""
        interval_ms = self._funding_hours * 3_600_000
        last = min(end_ms, self.tape.now_ms) // interval_ms * interval_ms
        times = range(last, start_ms - 1, -interval_ms)
        rate = plain(self._funding)
        return [
            {"symbol": symbol, "fundingRate": rate, "fundingRateTimestamp": str(time)}
            for time, _ in zip(times, range(200), strict=False)
        ]

    def _book(self, candle: Candle) -> dict[str, dict[str, str]]:
        rules, close = self.instruments[candle.symbol], decimal(candle.close)
        step = max(rules.price_step, (close * self._half_spread).quantize(rules.price_step))
        below = (close - step) // rules.price_step * rules.price_step
        above = -(-(close + step) // rules.price_step) * rules.price_step
        size = max(rules.quantity_step, rules.round_quantity(decimal(candle.volume) / 100))
        bids = {plain(below - step * n): plain(size * (n + 1)) for n in range(_LEVELS) if below - step * n > 0}
        return {"b": bids, "a": {plain(above + step * n): plain(size * (n + 1)) for n in range(_LEVELS)}}

    def _deltas(self, symbol: str, before: dict[str, dict[str, str]]) -> list[Message]:
        changes = {
            side: {price: "0" for price in before[side] if price not in after}
            | {price: size for price, size in after.items() if before[side].get(price) != size}
            for side, after in self._books[symbol].items()
        }
        messages = []
        for depth in DEPTHS:
            if depth == 1:  # the first level comes as a snapshot every time
                message = self._book_message(symbol, 1, "snapshot", self._books[symbol])
            else:
                message = self._book_message(symbol, depth, "delta", changes)
            messages.append((message["topic"], message))
        return messages

    def _book_message(self, symbol: str, depth: int, kind: str, sides: dict[str, dict[str, str]]) -> dict[str, Any]:
        now = self.tape.now_ms
        levels = {
            side: [list(pair) for pair in list(sides[side].items())[: depth if kind == "snapshot" else None]]
            for side in "ba"
        }
        return {
            "topic": f"orderbook.{depth}.{symbol}", "type": kind, "ts": now, "cts": now,
            "data": {"s": symbol, **levels, "u": self._update + 2, "seq": self._update + 1},
        }  # fmt: skip

    def _trade_message(self, candle: Candle) -> dict[str, Any]:
        self._trades += 1
        row = {
            "T": candle.close_time_ms - 1, "s": candle.symbol, "S": "Buy" if candle.close >= candle.open else "Sell",
            "v": _text(candle.volume), "p": _text(candle.close), "L": "PlusTick",
            "i": f"00000000-0000-4000-8000-{self._trades:012d}", "BT": False, "seq": self._update,
        }  # fmt: skip
        now = self.tape.now_ms
        return {"topic": f"publicTrade.{candle.symbol}", "type": "snapshot", "ts": now, "data": [row]}

    def _candle_messages(self, symbol: str) -> list[Message]:
        """Closed candles of every timeframe that ends now, the finest first."""
        messages: list[Message] = []
        for timeframe, code in sorted(INTERVALS.items()):
            if timeframe.milliseconds % self.tape.timeframe.milliseconds == 0:
                candle = self.tape.closed_with(symbol, timeframe)
                if candle is not None:
                    messages.append((f"kline.{code}.{symbol}", candle_message(candle, timeframe, self.tape.now_ms)))
        return messages


def candle_message(candle: Candle, timeframe: Timeframe, now_ms: int) -> dict[str, Any]:
    """`kline.{interval}.{symbol}` with a closed candle."""
    names = ("open", "high", "low", "close")
    row = {
        "start": candle.open_time_ms, "end": candle.close_time_ms - 1, "interval": INTERVALS[timeframe],
        **dict(zip(names, _prices(candle), strict=True)), "volume": _text(candle.volume),
        "turnover": _text(candle.volume * candle.close), "confirm": True, "timestamp": now_ms,
    }  # fmt: skip
    topic = f"kline.{INTERVALS[timeframe]}.{candle.symbol}"
    return {"topic": topic, "type": "snapshot", "ts": now_ms, "data": [row]}


def _prices(candle: Candle) -> list[str]:
    return [_text(value) for value in (candle.open, candle.high, candle.low, candle.close)]


def _text(value: float) -> str:
    """The shortest text that reads back as this very float."""
    return plain(Decimal(repr(float(value))))
