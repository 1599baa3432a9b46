"""What live trading costs: from a candle's close to the order on the wire, and streams of 200 instruments.

Close to order is measured by the server, on one clock: from the moment before the closed candle is sent to the arrival
of the order it leads to, over loopback sockets. In between lie the stream, the reconciliation with the venue (four
questions an instrument), the prediction in its thread, the decision, the journal's flush to the disk, the signature and
the request. With a model, an EfficientNet with its encoding (GASF, 64 candles) runs in ONNX before the rule decides.

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
from pathlib import Path
from typing import Any

from benchmarks import bybit_book
from benchmarks._table import Row, main
from benchmarks._trading_house import CAPITAL
from benchmarks.chaos.segment import KNOWN, ROOT, SYMBOLS, Child, tape
from triptych.domain import BookUpdate, StreamState, SystemClock, Trade
from triptych.exchanges.bybit import hosts as hosts_
from triptych.exchanges.bybit.public_stream import book_topic, public_stream, trade_topic
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
            millis = asyncio.run(close_to_order(symbols, model, 40 if quick else 300, place))
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


async def close_to_order(symbols: tuple[str, ...], model: Path | None, closes: int, folder: Path) -> list[float]:
    """Milliseconds from the sending of each closed candle to the arrival of the first order that it led to."""
    series = [tape(symbol, 3, KNOWN + 100 + 20 * closes) for symbol in symbols]
    found: list[float] = []
    async with BybitServer(series, known=KNOWN + 40, costs=Costs(leverage=10), capital=CAPITAL) as server:
        arrived: asyncio.Queue[float] = asyncio.Queue()
        create = server.desk.create

        def timed(body: Any) -> Any:
            arrived.put_nowait(time.perf_counter())
            return create(body)

        server.desk.create = timed  # type: ignore[method-assign]
        more = {} if model is None else {"model": str(model)}
        child = await Child.start(server, folder / "journal.db", symbols=symbols, **more)
        await child.hear("ready")
        await asyncio.sleep(0.5)
        try:
            while len(found) < closes and server.tape.remaining:
                while not arrived.empty():
                    arrived.get_nowait()
                closed = time.perf_counter()
                await server.step()
                try:
                    found.append(1_000 * (await asyncio.wait_for(arrived.get(), 0.5) - closed))
                except TimeoutError:
                    continue  # this close asked for no order
                await asyncio.sleep(0.05)
        finally:
            await child.kill()
    return found[5:]


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
    stream = public_stream(
        places, "linear", topics, connector=connector, timer=SystemTimer(), clock=VenueClock(SystemClock())
    )
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
                lags.append(time.time() * 1_000 - message.exchange_time_ns / 1e6)
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
