"""Predictions in real time: a trained model on the closed candles of a venue's public stream. No key, no orders."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path

from triptych.bootstrap.live_books import candles_of
from triptych.bootstrap.living_on_bybit import newest_close
from triptych.bootstrap.predicting import open_artifact
from triptych.domain import Candle, CandleSeries, Instrument, Prediction, Timeframe
from triptych.domain.errors import ExchangeError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.inference import BookNeed
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.live.following import Following
from triptych.live.past import fetch_past
from triptych.market.feed import CandleFeed
from triptych.trading.window import CandleWindow

PATIENCE_MS = 5_000


def bybit_at(address: str = "") -> HostConfig:
    """Bybit's mainnet, or the exchange that `triptych exchange serve` serves at an address such as 127.0.0.1:8765, or
    at `http://127.0.0.1:8765`, as it prints it.
    """
    if not address:
        return HostConfig(environment="mainnet")
    address = address.removeprefix("http://").rstrip("/")
    return HostConfig(
        environment="custom", rest=f"http://{address}", public=f"ws://{address}/v5/public",
        private=f"ws://{address}/v5/private",
    )  # fmt: skip


def predict_live(
    model: Path, symbols: Sequence[str] = (), *, where: HostConfig | None = None
) -> Generator[dict[str, Prediction | None], None, None]:
    """Predictions of all instruments at every close, as it happens, for ever; close it when enough was heard.

    Gaps of the stream are filled from history before a prediction is made; a close that was left behind meanwhile is
    passed over. A model that reads order books answers once it has heard a window of them.

    Args:
        model: folder of a run or of an artifact.
        symbols: the venue's own; empty: those of the training.
        where: see `bybit_at`; None is mainnet.

    Yields the predictions by symbol, None where candles are missing. Raises ArtifactError for a folder without a model,
    DataError for an instrument that the venue does not list, ExchangeError when it cannot be reached at the start.
    """
    artifact = open_artifact(Path(model))
    predictor = artifact.predictor()
    said = _said(
        predictor, tuple(symbols or artifact.card.symbols), Timeframe.parse(artifact.card.timeframe),
        where or bybit_at(), artifact.books,
    )  # fmt: skip

    async def following() -> dict[str, Prediction | None]:
        return await anext(said)

    runner = asyncio.Runner()
    try:
        while True:
            yield runner.run(following())
    finally:
        if not sys.is_finalizing():  # a program that ends without closing takes its sockets with it
            runner.run(said.aclose())
            runner.close()


class _Windows(AbstractView):
    """The last candles of every instrument."""

    def __init__(self, symbols: Sequence[str], length: int) -> None:
        self._windows = {symbol: CandleWindow(length, Instrument(symbol=symbol)) for symbol in symbols}

    def append(self, candle: Candle) -> None:
        self._windows[candle.symbol].append(candle)

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        return self._windows[symbol].history(length)

    def latest(self, symbol: str, most: int) -> CandleSeries | None:
        return self._windows[symbol].latest(most)


async def _said(
    predictor: AbstractPredictor,
    symbols: tuple[str, ...],
    timeframe: Timeframe,
    where: HostConfig,
    books: BookNeed | None,
) -> AsyncGenerator[dict[str, Prediction | None], None]:
    known = tuple(dict.fromkeys((*symbols, *predictor.companions)))
    view, feed = _Windows(known, predictor.kept), CandleFeed(known, timeframe, patience_ms=PATIENCE_MS)
    async with BybitConnection(where) as connection:
        for symbol in known:
            await connection.market.listing(symbol)
        only_seen = [one for one in known if one not in symbols]
        newest_ms = max([await newest_close(connection, one, timeframe) for one in known])
        source = Following(candles_of(connection, known, timeframe, books, only_seen=only_seen), newest_ms)
        past = await fetch_past(
            source, known, timeframe, memory=predictor.kept, needed=predictor.length, since_ms=-1,
            now_ms=newest_ms,
        )  # fmt: skip
        for candles in past.known:
            for candle in candles:
                view.append(candle)
        for symbol, newest in past.newest.items():
            feed.begin_after(symbol, newest.open_time_ms)
        async for late_ms in _heard(source, feed):
            await _fill(feed, source, source.clock.now_ms() + late_ms)
            for batch in feed.due(source.clock.now_ms() + late_ms):
                for candle in batch.candles:
                    view.append(candle)
                closes = {one.symbol: batch.close_ms for one in batch.candles if one.symbol in symbols}
                if closes and not batch.is_late:
                    yield await asyncio.to_thread(predictor.predict_all, view, closes)


async def _heard(source: Following, feed: CandleFeed) -> AsyncGenerator[int]:
    """Says whenever something may leave the feed, and how late it is by then, ms: the market's clock follows the
    candles, and stands still while one is awaited.
    """
    loop = asyncio.get_running_loop()
    stream, coming, until_s = source.stream(), None, None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(stream))
            # Since the first candle that waits, whatever else is heard meanwhile.
            until_s = until_s or loop.time() + PATIENCE_MS / 1000 if feed.is_waiting else None
            await asyncio.wait([coming], timeout=None if until_s is None else max(until_s - loop.time(), 0.0))
            if until_s is not None and loop.time() >= until_s:
                until_s = None
                yield 2 * PATIENCE_MS
            if not coming.done():
                continue
            try:
                item = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            if isinstance(item, Candle):
                feed.on_candle(item)
                yield 0
    finally:
        if coming is not None:
            coming.cancel()


async def _fill(feed: CandleFeed, source: Following, now_ms: int) -> None:
    """Ask history for what is missing; when it cannot be asked, the next candle tries again."""
    for gap in (*feed.gaps(), *feed.silent(now_ms)):
        try:
            feed.fill(gap, await source.history(gap.symbol, gap.start_ms, gap.end_ms))
        except ExchangeError:
            return
