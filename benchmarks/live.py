"""What live trading costs: from a candle's close to the order on the wire, and streams of 200 instruments.

Close to order is measured by the server, on one clock: from the moment before the closed candle is sent to the arrival
of the order it leads to, over loopback sockets. In between lie the stream, the reconciliation with the venue (three
questions for all instruments together), the prediction in its thread, the decision, the journal's flush to the disk,
the signature and the request. With a model, an EfficientNet with its encoding (GASF, 64 candles) runs in ONNX before
the rule decides.

The streams come from a process that paces itself; the lag is the time from its sending of a message to the end of our
handling of it: parsing, checks of continuity and crossing, the book.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import bybit_book
from benchmarks._table import Row, main
from benchmarks._trading_house import CAPITAL
from benchmarks.chaos.segment import KNOWN, ROOT, SYMBOLS, Child, tape
from triptych.domain import BookUpdate, CandleSeries, StreamState, SystemClock, Trade
from triptych.exchanges.bybit import hosts as hosts_
from triptych.exchanges.bybit.public_stream import Wiring, book_topic, public_stream, trade_topic
from triptych.exchanges.bybit.socket import WebSocketConnector
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer
from triptych.exchanges.timing import SystemTimer
from triptych.market.books import BookStatus, OrderBook

INSTRUMENTS = 200


def rows(quick: bool) -> list[Row]:
    """All three subjects; the book's figures come from their own benchmark."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        artifact = save_a_model(Path(folder) / "model")
        for name, symbols, model in (
            ("1 instrument, a rule", SYMBOLS[:1], None),
            ("1 instrument, EfficientNet in ONNX", SYMBOLS[:1], artifact),
            ("3 instruments, EfficientNet in ONNX", SYMBOLS, artifact),
        ):
            place = Path(folder) / name.replace(" ", "-")
            place.mkdir()
            millis = asyncio.run(close_to_order(symbols, model, 20 if quick else 150, place))
            cuts = statistics.quantiles(millis, n=100, method="inclusive")
            for what, value in (("p50", cuts[49]), ("p99", cuts[98])):
                found.append(Row(name=f"close to order, {name}: {what}", ours=value, unit="ms", lower_is_better=True))
    for rate in (1_000, 4_000):
        figures = asyncio.run(streams(rate, 5.0 if quick else 20.0))
        name = f"{INSTRUMENTS} instruments at {rate:,} messages/s"
        found += [
            Row(name=f"{name}: handled", ours=figures["rate"], floor=rate, unit="messages/s"),
            Row(name=f"{name}: lag p99", ours=figures["lag_p99_ms"], unit="ms", lower_is_better=True),
            Row(name=f"{name}: share of one core", ours=figures["share"], unit="cores", lower_is_better=True),
        ]
    return found + bybit_book.rows(quick)


def save_a_model(folder: Path) -> Path:
    """An untrained EfficientNet with its encoding, as an artifact: it costs what a trained one costs."""
    import torch

    from triptych.images import create_encoding
    from triptych.inference import Card, WindowClassifier, save_artifact
    from triptych.models import create_model

    torch.manual_seed(1)
    settings = {"name": "gasf", "series": ["close", "volume"]}
    network = {"name": "efficientnet_b0"}
    encoding = create_encoding(length=64, **settings)
    classifier = WindowClassifier(encoding, create_model(in_chans=encoding.channels, num_classes=3, **network)).eval()
    card = Card(
        name="benchmark", length=64, timeframe="1m", symbols=("BTCUSDT",), encoding=settings, model=network,
        parameters=1, target={}, splits=[], period=("a", "b"), data_hash="0", metrics={}, seed=1, versions={},
    )  # fmt: skip
    windows = tape("BTCUSDT", 1, 80).values[None, :64].astype("float32")
    save_artifact(folder, classifier, card, windows)
    return folder


def waves(symbol: str, n: int) -> CandleSeries:
    """Candles whose last two together rise, rise, fall, fall, and so on: the rule turns at every second close."""
    close = 20_000.0 + np.array([0.0, 2.0, 12.0, 10.0])[np.arange(n) % 4]
    opening = np.concatenate([close[:1], close[:-1]])
    values = np.stack(
        [opening, np.maximum(opening, close), np.minimum(opening, close), close, np.full(n, 70.0)], axis=1
    )
    return replace(tape(symbol, 1, n), values=values)


async def close_to_order(symbols: tuple[str, ...], model: Path | None, closes: int, folder: Path) -> list[float]:
    """Milliseconds from the sending of each closed candle to the arrival of the first order that it led to."""
    series = [waves(symbol, KNOWN + 44 + 2 * closes) for symbol in symbols]
    found: list[float] = []
    async with BybitServer(series, known=KNOWN + 44, costs=Costs(leverage=10), capital=CAPITAL) as server:
        arrived: asyncio.Queue[float] = asyncio.Queue()
        commands = server._answers._commands
        create = commands["/v5/order/create"]

        def timed(body: Any) -> Any:
            arrived.put_nowait(time.perf_counter())
            return create(body)

        commands["/v5/order/create"] = timed
        more = {} if model is None else {"model": str(model)}
        child = await Child.start(server, folder / "journal.db", symbols=symbols, **more)
        await child.hear("ready")
        await asyncio.sleep(0.5)
        try:
            while len(found) < closes and server.tape.remaining:
                closed = time.perf_counter()
                await server.step()
                found.append(1_000 * (await asyncio.wait_for(arrived.get(), 30) - closed))
                await asyncio.sleep(0.3)
                await server.step()  # the order is filled; nothing is to be done at this close
                await asyncio.sleep(0.3)
                while not arrived.empty():  # those of the other instruments, and the second half of a turn
                    arrived.get_nowait()
        finally:
            await child.kill()
    return found[3:]


async def streams(rate: int, seconds: float) -> dict[str, float]:
    """Messages a second handled, their lag, and the share of a core that it took."""
    feeder = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._feeder", str(rate)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert feeder.stdout is not None
    port = int(feeder.stdout.readline())
    at = f"127.0.0.1:{port}"
    places = hosts_.Config(
        environment="custom", rest=f"http://{at}", public=f"ws://{at}/v5/public", private=f"ws://{at}/v5/private"
    )
    names = [f"S{n:03d}USDT" for n in range(INSTRUMENTS)]
    topics = [topic for name in names for topic in (book_topic(name, 50), trade_topic(name))]
    connector, books = WebSocketConnector(), {name: OrderBook(name) for name in names}
    wiring = Wiring(
        hosts=places, category="linear", connector=connector, timer=SystemTimer(), clock=VenueClock(SystemClock())
    )
    stream = public_stream(wiring, topics)
    lags: list[float] = []
    begun = used = 0.0
    messages = stream.messages()
    try:
        async for message in messages:
            if isinstance(message, StreamState):
                continue
            if isinstance(message, BookUpdate):
                assert books[message.symbol].apply(message).status in (BookStatus.APPLIED, BookStatus.RESET)
            if isinstance(message, BookUpdate | Trade):
                if not lags:
                    begun, used = time.monotonic(), time.process_time()
                sent_ms = message.time_ms if isinstance(message, Trade) else (message.exchange_time_ns or 0) / 1e6
                lags.append(time.time() * 1_000 - sent_ms)
            if lags and time.monotonic() - begun > seconds:
                break
    finally:
        await messages.aclose()
        await connector.close()
        feeder.kill()
        feeder.wait()
        feeder.stdout.close()
    took = time.monotonic() - begun
    cut = statistics.quantiles(lags, n=100, method="inclusive")[98]
    return {"rate": len(lags) / took, "lag_p99_ms": cut, "share": (time.process_time() - used) / took}


if __name__ == "__main__":
    main(rows, "Live trading: close to order, and streams.", packages=("ccxt", "onnxruntime"))
