"""Tapes as the rest of the house wants them: messages in our words, and candles as histories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.domain import Candle, CandleSeries, CandleUpdate, Instrument, StreamState, Timeframe, Trade
from triptych.domain.errors import DataError, ProtocolError
from triptych.exchanges.bybit.envelopes import Data
from triptych.exchanges.bybit.market_messages import PublicMessage, candle_updates, parse_public
from triptych.market import resample
from triptych.market.books import Trades, candles_from_trades
from triptych.market.tapes import STREAM, TapeEntry, read_about, read_tape

NS_PER_MS = 1_000_000
_TRADES = "publicTrade."


@dataclass(frozen=True, kw_only=True, slots=True)
class TapeEvent:
    """What a message of a tape said.

    Attributes:
        time_ns: when it was received, UTC.
        message: in our words; `StreamState` where the connection came up or was lost.
        was_asked_for: not streamed, but fetched afterwards because the stream had not told it.
    """

    time_ns: int
    message: PublicMessage | StreamState
    was_asked_for: bool


def tape_events(folder: Path) -> Iterator[TapeEvent]:
    """Every message of a tape through the parsing of the live stream: same events, same order, same times.

    Raises DataError for a tape that is missing or damaged, ProtocolError for a message that the live stream would have
    refused too.
    """
    for entry in read_tape(folder):
        for message in _messages(entry):
            yield TapeEvent(time_ns=entry.time_ns, message=message, was_asked_for=entry.via == "rest")


def _messages(entry: TapeEntry) -> list[PublicMessage] | list[StreamState]:
    if entry.topic == STREAM:
        return [
            StreamState(
                is_up=bool(entry.content["is_up"]), time_ms=entry.time_ns // NS_PER_MS,
                reason=str(entry.content["reason"]),
            )
        ]  # fmt: skip
    return parse_public(Data(entry.topic, entry.content), local_time_ns=entry.time_ns)


def candles_of(entry: TapeEntry) -> list[Candle]:
    """The closed candles in an entry; none in one of another topic, or that cannot be understood."""
    if not entry.topic.startswith("kline."):
        return []
    try:
        updates: list[CandleUpdate] = candle_updates(Data(entry.topic, entry.content))
    except ProtocolError:
        return []
    return [one.candle for one in updates if one.is_closed]


def tape_series(folder: Path, timeframe: Timeframe | None = None) -> list[CandleSeries]:
    """The closed candles of a tape, one history an instrument, in the order of their symbols.

    Args:
        folder: of the tape.
        timeframe: wanted; made of the longest recorded one that divides it where it was not recorded itself, or of the
            trades of a tape that holds no candles. None takes the shortest recorded.

    Raises DataError when there are no candles to make it of.
    """
    about = read_about(folder)
    recorded = sorted(Timeframe.parse(text) for text in about.timeframes)
    wanted = timeframe or (recorded[0] if recorded else None)
    if timeframe is not None and not recorded and any(topic.startswith(_TRADES) for topic in about.topics):
        return _of_trades(folder, timeframe, {one.symbol: one for one in about.instruments})
    parts = [one for one in recorded if wanted is not None and wanted.milliseconds % one.milliseconds == 0]
    if wanted is None or not parts:
        raise DataError(
            f"{folder} holds candles of {', '.join(about.timeframes) or 'no timeframe'}, and {wanted or 'some'} are "
            "wanted.",
            remedy="Record candles of that timeframe or of a finer one.",
        )
    found: dict[str, dict[int, Candle]] = {}
    for entry in read_tape(folder):
        for candle in candles_of(entry):
            if candle.timeframe == parts[-1]:
                found.setdefault(candle.symbol, {})[candle.open_time_ms] = candle
    rules = {one.symbol: one for one in about.instruments}
    series = [_series(rules[symbol], parts[-1], candles) for symbol, candles in sorted(found.items())]
    if not series:
        raise DataError(f"{folder} holds no closed candle yet.", remedy="Record for longer.")
    return series if parts[-1] == wanted else [resample(one, wanted) for one in series]


def _of_trades(folder: Path, timeframe: Timeframe, rules: Mapping[str, Instrument]) -> list[CandleSeries]:
    """Candles of the trades that a tape holds."""
    found: dict[str, list[Trade]] = {}
    for entry in read_tape(folder):
        if entry.topic.startswith(_TRADES):
            for one in _messages(entry):
                if isinstance(one, Trade):
                    found.setdefault(one.symbol, []).append(one)
    series = []
    for symbol, trades in sorted(found.items()):
        trades.sort(key=lambda one: one.time_ms)
        columns = Trades(
            symbol=symbol,
            time_ms=np.array([one.time_ms for one in trades], dtype=np.int64),
            price=np.array([one.price for one in trades], dtype=np.float64),
            size=np.array([one.size for one in trades], dtype=np.float64),
            side=np.array([one.side.sign for one in trades], dtype=np.int8),
        )
        series.append(candles_from_trades(columns, timeframe, instrument=rules[symbol]))
    if not series:
        raise DataError(f"{folder} holds no trade yet.", remedy="Record for longer.")
    return series


def _series(instrument: Instrument, timeframe: Timeframe, candles: dict[int, Candle]) -> CandleSeries:
    rows = [candles[open_ms] for open_ms in sorted(candles)]
    return CandleSeries(
        instrument=instrument, timeframe=timeframe,
        open_time_ms=np.array([one.open_time_ms for one in rows], dtype=np.int64),
        values=np.array([(one.open, one.high, one.low, one.close, one.volume) for one in rows], dtype=np.float64),
    )  # fmt: skip
