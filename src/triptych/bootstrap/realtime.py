"""Predictions in real time: a trained model on the closed candles of a venue's public stream. No key, no orders."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path

from triptych.bootstrap.live_books import candles_of
from triptych.bootstrap.predicting import open_artifact
from triptych.domain import Candle, CandleSeries, Instrument, Prediction, Timeframe
from triptych.domain.errors import ExchangeError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.market_client import CANDLES_A_PAGE
from triptych.inference import BookNeed
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.live.following import Following
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
        source = Following(candles_of(connection, known, timeframe, books, only_seen=only_seen), 0)
        for symbol in known:
            for candle in await _last(connection, symbol, timeframe, predictor.kept):
                view.append(candle)
                feed.begin_after(symbol, candle.open_time_ms)
        async for item in source.stream():
            if not isinstance(item, Candle):
                continue
            feed.on_candle(item)
            await _fill(feed, source)
            for batch in feed.due(source.clock.now_ms()):
                for candle in batch.candles:
                    view.append(candle)
                if not batch.is_late:
                    closes = {one.symbol: batch.close_ms for one in batch.candles if one.symbol in symbols}
                    yield await asyncio.to_thread(predictor.predict_all, view, closes)


async def _last(connection: BybitConnection, symbol: str, timeframe: Timeframe, most: int) -> list[Candle]:
    """As many of the last `most` closed candles of an instrument as the venue has, oldest first."""
    end_ms = now_ms = connection.clock.now_ms()
    found: list[Candle] = []
    while len(found) < most:
        limit = min(CANDLES_A_PAGE, most - len(found) + 1)
        page = await connection.market.candles(symbol, timeframe, start_ms=0, end_ms=end_ms, limit=limit)
        if not page:
            break
        found, end_ms = [*(one for one in page if one.close_time_ms <= now_ms), *found], page[0].open_time_ms
    return found[-most:]


async def _fill(feed: CandleFeed, source: Following) -> None:
    """Ask history for what is missing; when it cannot be asked, the next candle tries again."""
    for gap in (*feed.gaps(), *feed.silent(source.clock.now_ms())):
        try:
            feed.fill(gap, await source.history(gap.symbol, gap.start_ms, gap.end_ms))
        except ExchangeError:
            return
