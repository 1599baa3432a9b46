"""Candles of stocks, indices and currencies from Yahoo Finance, for research."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from triptych.domain import Candle, Instrument, Timeframe
from triptych.domain.errors import CandleError, DataError, ExchangeError, ProtocolError, RecipeError
from triptych.exchanges.history import AbstractHistory

DAY_MS: Final = 86_400_000
_WORDS: Final = {
    "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h", "1d": "1d", "1w": "1wk",
}  # fmt: skip
_PAGE_DAYS: Final = {"1m": 7, "5m": 59, "15m": 59, "30m": 59, "1h": 720, "1d": 36_500, "1w": 36_500}
"""The longest span of one question; Yahoo keeps 1m for 30 days, 5m to 30m for 60 and 1h for 730."""


class YahooCandles(AbstractHistory):
    """Yahoo Finance.

    Prices are adjusted for splits and not for dividends, so that what was stored stays true until the next split.
    Candles of a day or a week are named by their date, at midnight UTC; shorter ones by the time they opened. Rows in
    which Yahoo leaves a price out are left out.

    Args:
        ticker: makes what answers `history`, as `yfinance.Ticker` does; None takes yfinance.

    Raises RecipeError when yfinance is not installed.
    """

    venue = "yahoo"

    def __init__(self, ticker: Callable[[str], Any] | None = None) -> None:
        self._ticker = _yfinance_ticker() if ticker is None else ticker

    def instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol=symbol, venue=self.venue)

    def pages(self, symbol: str, timeframe: Timeframe, *, start_ms: int, end_ms: int) -> Iterator[list[Candle]]:
        name = str(timeframe)
        if name not in _WORDS:
            raise DataError(f"Yahoo has no candles of {name}.", remedy=f"It has: {', '.join(_WORDS)}.")
        step = _PAGE_DAYS[name] * DAY_MS
        at, found = start_ms, False
        while at < end_ms:
            until = min(end_ms, at + step)
            page = [one for one in self._ask(symbol, timeframe, at, until) if at <= one.open_time_ms < until]
            if page:
                found = True
                yield page
            at = until
        if not found:
            raise DataError(
                f"Yahoo gave no candles of {symbol} {name} in that time.",
                remedy="Check the symbol, such as AAPL or ^GSPC. Yahoo keeps 1m for 30 days, 5m to 30m for 60 days, "
                "1h for 730 days.",
            )

    def _ask(self, symbol: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> list[Candle]:
        # A day's candle carries local midnight, which can lie on either side of ours: ask for a day more each way.
        slack = DAY_MS if timeframe.milliseconds >= DAY_MS else 0
        try:
            frame = self._ticker(symbol).history(
                start=datetime.fromtimestamp((start_ms - slack) / 1000, tz=UTC),
                end=datetime.fromtimestamp((end_ms + slack) / 1000, tz=UTC),
                interval=_WORDS[str(timeframe)], auto_adjust=False, actions=False, raise_errors=False,
            )  # fmt: skip
        except Exception as error:  # yfinance has no base of its own for what can go wrong
            raise ExchangeError(
                f"Yahoo cannot be asked for {symbol}: {type(error).__name__}: {str(error)[:200]}.",
                remedy="Check the network, wait a while, or renew yfinance.",
            ) from error
        rows = zip(frame.index, *(frame[name] for name in ("Open", "High", "Low", "Close", "Volume")), strict=True)
        return [one for row in rows if (one := _candle(row, symbol, timeframe)) is not None]


def _candle(row: tuple[Any, ...], symbol: str, timeframe: Timeframe) -> Candle | None:
    time, *values = row
    prices = [float(value) for value in values[:4]]
    if not all(math.isfinite(price) for price in prices):
        return None
    if timeframe.milliseconds >= DAY_MS:
        moment = datetime(time.year, time.month, time.day, tzinfo=UTC)
    else:
        moment = time.to_pydatetime().astimezone(UTC)
    volume = float(values[4])
    try:
        return Candle(
            symbol=symbol, timeframe=timeframe, open_time_ms=round(moment.timestamp() * 1000), open=prices[0],
            high=max(prices), low=min(prices), close=prices[3], volume=volume if math.isfinite(volume) else 0.0,
        )  # fmt: skip
    except CandleError as error:
        raise ProtocolError(f"Yahoo {symbol}: {error.message}") from error


def _yfinance_ticker() -> Callable[[str], Any]:
    try:
        import yfinance
    except ImportError as error:
        raise RecipeError(
            "Candles of stocks and indices need yfinance.", remedy="Run: pip install 'triptych[yfinance]'"
        ) from error
    ticker: Callable[[str], Any] = yfinance.Ticker
    return ticker
