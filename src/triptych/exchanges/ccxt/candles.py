"""Candles of more than a hundred venues through ccxt. Read only: orders go through a gateway of our own."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from triptych.domain import Candle, Instrument, Timeframe
from triptych.domain.errors import CandleError, DataError, ExchangeError, ProtocolError, RecipeError
from triptych.exchanges.history import AbstractHistory

_A_PAGE: Final = 1000
_TICK_SIZE: Final = 4
_DECIMAL_PLACES: Final = 2
"""How ccxt writes precision: as a step, or as a number of digits."""


class CcxtCandles(AbstractHistory):
    """One venue of ccxt.

    Args:
        venue: ccxt's name of it, such as binance, okx or kraken. Symbols are ccxt's too: BTC/USDT, BTC/USDT:USDT.
        client: a client of ccxt, or one that behaves so; None makes one without a key.

    Raises RecipeError when ccxt is not installed, DataError for a venue that it does not know.
    """

    def __init__(self, venue: str, client: Any = None) -> None:
        self.venue = venue
        self._client = _client(venue) if client is None else client
        self._markets: dict[str, Any] = {}

    def instrument(self, symbol: str) -> Instrument:
        market = self._market(symbol)
        precision, limits = market.get("precision") or {}, market.get("limits") or {}
        plain = Instrument(symbol=symbol, venue=self.venue)
        leverage = (limits.get("leverage") or {}).get("max")
        return Instrument(
            symbol=symbol,
            venue=self.venue,
            price_step=self._step(precision.get("price")) or plain.price_step,
            quantity_step=self._step(precision.get("amount")) or plain.quantity_step,
            minimum_quantity=_decimal((limits.get("amount") or {}).get("min")),
            minimum_notional=_decimal((limits.get("cost") or {}).get("min")),
            maximum_leverage=max(_decimal(leverage), Decimal(1)),
        )

    def pages(self, symbol: str, timeframe: Timeframe, *, start_ms: int, end_ms: int) -> Iterator[list[Candle]]:
        offered = self._client.timeframes or {}
        if str(timeframe) not in offered:
            raise DataError(
                f"{self.venue} has no candles of {timeframe}.", remedy=f"It has: {', '.join(offered) or 'none'}."
            )
        self._market(symbol)
        at = start_ms
        while at < end_ms:
            rows = self._ask(
                lambda since=at: self._client.fetch_ohlcv(symbol, str(timeframe), since=since, limit=_A_PAGE)
            )
            page = [_candle(row, symbol, timeframe, self.venue) for row in rows if at <= row[0] < end_ms]
            if page:
                page.sort(key=lambda one: one.open_time_ms)
                yield page
                at = page[-1].open_time_ms + timeframe.milliseconds
            elif rows and rows[-1][0] < at:
                raise ProtocolError(f"{self.venue} {symbol}: asked for candles from {at} on, was sent older ones.")
            else:
                return  # nothing more, or only what lies behind the end

    def _market(self, symbol: str) -> dict[str, Any]:
        if not self._markets:
            self._markets = self._ask(self._client.load_markets)
        if symbol not in self._markets:
            near = [name for name in self._markets if name.replace("/", "").split(":")[0] == symbol.replace("/", "")]
            raise DataError(
                f"{self.venue} lists no {symbol}.",
                remedy=f"ccxt writes symbols like {', '.join(near[:3]) or 'BTC/USDT and BTC/USDT:USDT'}.",
            )
        market: dict[str, Any] = self._markets[symbol]
        return market

    def _step(self, precision: Any) -> Decimal | None:
        if precision is None:
            return None
        if self._client.precisionMode == _TICK_SIZE:
            return _decimal(precision) or None
        if self._client.precisionMode == _DECIMAL_PLACES:
            return Decimal(1).scaleb(-int(precision))
        return None  # significant digits: the step depends on the price

    def _ask(self, question: Any) -> Any:
        try:
            return question()
        except Exception as error:
            if type(error).__module__.startswith("ccxt"):
                raise ExchangeError(
                    f"{self.venue} cannot be asked: {str(error)[:300] or type(error).__name__}.",
                    remedy="Check the network, and whether the venue serves your country.",
                ) from error
            raise


def _client(venue: str) -> Any:
    try:
        import ccxt
    except ImportError as error:
        raise RecipeError("Candles of other venues need ccxt.", remedy="Run: pip install 'triptych[ccxt]'") from error
    if venue not in ccxt.exchanges:
        raise DataError(
            f"ccxt knows no venue {venue!r}.", remedy="Its list is at https://docs.ccxt.com, such as binance."
        )
    return getattr(ccxt, venue)({"enableRateLimit": True})


def _candle(row: list[Any], symbol: str, timeframe: Timeframe, venue: str) -> Candle:
    try:
        time_ms, open_, high, low, close, volume = row[:6]
        return Candle(
            symbol=symbol, timeframe=timeframe, open_time_ms=int(time_ms), open=float(open_), high=float(high),
            low=float(low), close=float(close), volume=float(volume or 0.0),
        )  # fmt: skip
    except (TypeError, ValueError, CandleError) as error:
        raise ProtocolError(f"{venue} {symbol}: not a candle: {row} ({error}).") from error


def _decimal(value: Any) -> Decimal:
    return Decimal(0) if value is None else Decimal(str(value))
