"""What a file name says of symbol and timeframe.

`binance_perp_BTCUSDT_15m.parquet` is BTCUSDT in 15m, `BTC_USDT_USDT-5m-futures.feather` is BTC/USDT:USDT in 5m.

The symbol is the word before the timeframe, or the first word where there is none, once venues, markets, dates and
words such as `candles` are set aside. A lower-case symbol is written in capitals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from triptych.domain import Timeframe

_ASIDE: Final = frozenset(
    """binance binanceus binanceusdm bybit okx okex kraken coinbase bitstamp bitfinex bitmex ftx kucoin gateio huobi htx
    deribit gemini poloniex bitget mexc oanda dukascopy yahoo stooq tiingo alpaca polygon histdata nasdaq nyse sse szse
    spot perp perpetual future futures linear inverse swap um cm usdm coinm margin trade trades price prices data
    dataset history historical hist ohlc ohlcv candle candles candlestick kline klines bar bars quote quotes index
    flow panel close
    adjusted adj raw
    clean full all bid ask mid utc gmt export stock stocks etf crypto fx forex dat ascii my test sample train
    file table""".split()  # noqa: SIM905 - words read better than quotes
)  # fmt: skip
_WORDS: Final = {
    "minute": "1m",
    "minutely": "1m",
    "hour": "1h",
    "hourly": "1h",
    "day": "1d",
    "daily": "1d",
    "weekly": "1w",
}
_QUOTES: Final = frozenset("USDT USDC USD BUSD TUSD FDUSD DAI EUR GBP JPY KRW TRY BRL AUD CHF CAD BTC ETH BNB".split())  # noqa: SIM905
_UNITS: Final = {"min": "m", "mins": "m", "minute": "m", "hour": "h", "hr": "h", "day": "d", "week": "w"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NameParts:
    """Symbol and timeframe of a file name; None where it does not say."""

    symbol: str | None = None
    timeframe: Timeframe | None = None


def parse_file_name(name: str) -> NameParts:
    """Read symbol and timeframe from a file name, with or without its endings."""
    stem = re.sub(r"(\.(csv|txt|tsv|parquet|pq|feather|arrow|ipc|gz|bz2|xz|zip|zst))+$", "", name, flags=re.IGNORECASE)
    words = [word for word in re.split(r"[_\-\s,()\[\]]+", stem) if word]
    frames = [(i, frame) for i, word in enumerate(words) if (frame := _timeframe(word)) is not None]
    position, timeframe = frames[0] if frames else (None, None)
    symbols = [(i, word) for i, word in enumerate(words) if not _is_aside(word)]
    if not symbols:
        return NameParts(timeframe=timeframe)
    before = [item for item in symbols if position is not None and item[0] < position]
    chosen, symbol = before[-1] if before else symbols[0]
    return NameParts(symbol=_joined(words, chosen, symbol, to_the_left=bool(before)), timeframe=timeframe)


def _timeframe(word: str) -> Timeframe | None:
    match = re.fullmatch(r"(\d{1,3})([smhdw]|[HDW]|min|mins|minute|hour|hr|day|week)", word)
    if match is None:
        # MetaTrader's M15, H4, D1, W1. A lone 1M is a month elsewhere and no timeframe of ours.
        swapped = re.fullmatch(r"([MHDW])(\d{1,2})", word)
        text = f"{swapped[2]}{swapped[1].lower()}" if swapped else _WORDS.get(word.lower(), "")
    else:
        text = match[1] + _UNITS.get(match[2], match[2].lower())
    return Timeframe.parse(text) if text and int(text[:-1]) > 0 else None


def _is_aside(word: str) -> bool:
    is_date = re.fullmatch(r"\d{1,2}|(19|20)\d{2}(\d{2}(\d{2})?)?|[\d.:T]*\.[\d.:T]*", word) is not None
    return word.lower() in _ASIDE or _timeframe(word) is not None or is_date


def _joined(words: list[str], chosen: int, symbol: str, *, to_the_left: bool) -> str:
    """Put BTC and USDT back together as BTC/USDT, and BTC, USDT, USDT as BTC/USDT:USDT."""
    first = last = chosen
    if to_the_left:
        while first > 0 and last - first < 2 and words[first].upper() in _QUOTES and not _is_aside(words[first - 1]):
            first -= 1
    else:
        while last + 1 < len(words) and last - first < 2 and words[last + 1].upper() in _QUOTES:
            last += 1
    parts = [words[i] for i in range(first, last + 1)]
    text = parts[0] if len(parts) == 1 else f"{parts[0]}/{parts[1]}" + (f":{parts[2]}" if len(parts) == 3 else "")
    return text.upper() if text == text.lower() else text
