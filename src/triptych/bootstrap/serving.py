"""`triptych exchange serve`: a tape behind the simulated exchange, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from triptych.bootstrap.taping import candles_of, tape_series
from triptych.domain import CandleSeries, SystemClock
from triptych.domain.errors import DataError
from triptych.exchanges.simulated import Config
from triptych.exchanges.simulated.server import BybitServer
from triptych.exchanges.simulated.server.recording import Recording
from triptych.market import read_candles, synthetic
from triptych.market.tapes import STREAM, is_tape, read_about, read_tape

ANY_LEVERAGE = Decimal(100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """Where the server listens and what it serves."""

    address: str
    symbols: tuple[str, ...]
    timeframe: str
    known: int
    remaining: int


def tape_for_serving(source: Path | None, symbols: Sequence[str], n_candles: int = 20_000) -> list[CandleSeries]:
    """Candles of a file, or of the embedded market when there is none, under the names that Bybit's clients expect.

    A recorded tape knows the rules of its instruments. A file does not: it gets steps of the eighth decimal and
    leverage up to 100.
    Raises DataError for a file that cannot be read or does not hold the symbols.
    """
    found: list[CandleSeries]
    if source is not None and is_tape(source):
        found = tape_series(source)
    elif source is None:
        found = list(synthetic.synthesise(synthetic.Config(n_candles=n_candles)).series)
    else:
        found = list(read_candles(source, venue="bybit", now_ms=SystemClock().now_ms()).series)
    named = [_named(one) for one in found]
    missing = [symbol for symbol in symbols if symbol not in {one.symbol for one in named}]
    if missing:
        known = ", ".join(one.symbol for one in named)
        raise DataError(f"There are no candles of {', '.join(missing)}.", remedy=f"There are: {known}.")
    return [one for one in named if not symbols or one.symbol in symbols]


def recording_for_serving(folder: Path, symbols: Sequence[str] = ()) -> tuple[Recording, int]:
    """The streamed messages of a tape for the server, and how many close times were known before the first of them.

    Raises DataError when there is no tape, or it holds no streamed candle.
    """
    about = read_about(folder)
    kept = [topic for topic in about.topics if not symbols or topic.rpartition(".")[2] in symbols]
    series = tape_for_serving(folder, symbols)
    streamed = (
        candle
        for entry in read_tape(folder)
        if entry.via == "stream" and entry.topic in kept
        for candle in candles_of(entry)
        if candle.timeframe == series[0].timeframe
    )
    first = next(streamed, None)
    if first is None:
        raise DataError(f"{folder} holds no streamed candle yet.", remedy="Record for longer.")
    times = {int(time) for one in series for time in one.close_time_ms if time < first.close_time_ms}
    messages = (
        (entry.topic, dict(entry.content))
        for entry in read_tape(folder)
        if entry.via == "stream" and entry.topic != STREAM and entry.topic in kept
    )
    return Recording(messages, kept), max(len(times), 1)


def serve_exchange(
    series: Sequence[CandleSeries],
    *,
    known: int,
    seconds_per_candle: float,
    costs: Config | None = None,
    capital: Decimal = Decimal(10_000),
    keys: Mapping[str, str] | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    seed: int = 0,
    recording: Recording | None = None,
    on_ready: Callable[[Serving], None] = lambda serving: None,
) -> None:
    """Serve until the program is stopped; at the end of the tape the market stands still.

    Args:
        series: the tape, see `tape_for_serving`.
        known: close times that are history at the start.
        seconds_per_candle: pace; 0 leaves the steps to POST /triptych/step.
        costs, capital, keys, host, port, seed, recording: see `BybitServer`.
        on_ready: told once it listens.

    Raises DataError for a tape that cannot be served, ExchangeError when the port is taken.
    """

    async def run() -> None:
        server = BybitServer(
            series,
            known=known,
            costs=costs,
            capital=capital,
            keys=keys,
            host=host,
            port=port,
            seed=seed,
            recording=recording,
        )
        async with server:
            on_ready(
                Serving(
                    address=f"{server.host}:{server.port}", symbols=tuple(one.symbol for one in series),
                    timeframe=str(server.tape.timeframe), known=known, remaining=server.tape.remaining,
                )
            )  # fmt: skip
            if seconds_per_candle > 0:
                await server.run(seconds_per_candle)
            await asyncio.Event().wait()

    asyncio.run(run())


def _named(one: CandleSeries) -> CandleSeries:
    """Bybit writes symbols without a separator; what it trades has its own leverage."""
    symbol = "".join(letter for letter in one.symbol if letter.isalnum()).upper()
    leverage = max(one.instrument.maximum_leverage, ANY_LEVERAGE)
    return replace(one, instrument=replace(one.instrument, symbol=symbol, venue="bybit", maximum_leverage=leverage))
