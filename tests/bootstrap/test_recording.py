import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.fakes.served import COSTS, MINUTE, START, in_thread, tape

from triptych import bootstrap
from triptych.bootstrap.serving import recording_for_serving, tape_for_serving
from triptych.domain import BookUpdate, CandleUpdate, StreamState, Ticker, Timeframe, Trade
from triptych.domain.errors import DataError
from triptych.exchanges.simulated.server import BybitServer, StreamFaults
from triptych.market.tapes import STREAM, read_tape

KNOWN = 60
"""Candles that are history when a recording begins."""
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def two_coins():
    from dataclasses import replace

    bitcoin = tape()
    return [bitcoin, replace(tape(seed=4), instrument=replace(bitcoin.instrument, symbol="ETHUSDT"))]


def record(server, run, folder, steps, meanwhile=lambda step: None, **options):
    """Record while the server makes so many steps; ends by the event, as Ctrl-C does."""
    import asyncio

    stop, done = asyncio.Event(), []
    heard = threading.Event()

    def show(recorded):
        if recorded.messages >= 1 + 2 * len(SYMBOLS):  # up, book and ticker of each
            heard.set()

    def work():
        done.append(
            bootstrap.record_tape(
                SYMBOLS, folder, timeframes=["1m", "5m"], history=40, where=server.hosts, stop=stop, on_progress=show,
                **options,
            )
        )  # fmt: skip

    thread = threading.Thread(target=work)
    thread.start()
    assert heard.wait(20)
    time.sleep(0.3)
    for step in range(steps):
        run(server.step())
        meanwhile(step)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and newest(folder) < server.tape.now_ms:
        time.sleep(0.05)
    time.sleep(0.1)
    stop._loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    return done[0]


def newest(folder):
    """Close of the newest candle of every instrument on a tape."""
    try:
        found = [int(one.close_time_ms[-1]) for one in bootstrap.tape_series(folder, Timeframe.parse("1m"))]
        return min(found) if len(found) == len(SYMBOLS) else 0
    except DataError:
        return 0


def said(folder):
    return [
        (entry.topic, entry.content) for entry in read_tape(folder) if entry.via == "stream" and entry.topic != STREAM
    ]


def test_what_was_recorded_is_served_and_recorded_again_event_for_event(tmp_path, capsys):
    server = BybitServer(two_coins(), known=KNOWN, costs=COSTS)
    with in_thread(server) as run:
        first = record(server, run, tmp_path / "a", 25)
    assert (first.outages, first.book_resyncs, first.asked_for) == (0, 0, 2 * (40 + 12))
    series = tape_for_serving(tmp_path / "a", ())
    recording, known = recording_for_serving(tmp_path / "a")
    assert known == 40
    again = BybitServer(series, known=known, costs=COSTS, recording=recording)
    with in_thread(again) as run:
        record(again, run, tmp_path / "b", again.tape.remaining)
    assert again.tape.remaining == 0
    one, other = said(tmp_path / "a"), said(tmp_path / "b")
    assert sorted(one, key=repr) == sorted(other, key=repr)
    for topic in {topic for topic, _ in one}:
        assert [c for t, c in one if t == topic] == [c for t, c in other if t == topic]
    assert one[8:] == other[8:]  # the snapshots of a subscription come as the topics were asked for
    kinds = [type(event.message) for event in bootstrap.tape_events(tmp_path / "a")]
    counts = {kind: kinds.count(kind) for kind in (CandleUpdate, BookUpdate, Trade, Ticker, StreamState)}
    assert counts == {CandleUpdate: 104 + 2 * 25 + 2 * 5, BookUpdate: 52, Trade: 50, Ticker: 52, StreamState: 1}
    assert list(bootstrap.tape_events(tmp_path / "a")) == list(bootstrap.tape_events(tmp_path / "a"))
    with capsys.disabled():
        sys.stdout.write(f" [{len(one)} messages recorded, served and recorded again: equal]")


def test_candles_of_a_tape_are_those_of_the_venue_also_after_an_outage(tmp_path):
    largest = {"maximum_quantity": Decimal(900), "maximum_market_quantity": Decimal(300)}
    coins = [replace(one, instrument=replace(one.instrument, **largest)) for one in two_coins()]
    server = BybitServer(coins, known=KNOWN, costs=COSTS)

    def cut(step):
        if step == 8:
            run(server.cut())

    with in_thread(server) as run:
        recorded = record(server, run, tmp_path, 20, meanwhile=cut)
    assert recorded.outages == 1
    for one, whole in zip(bootstrap.tape_series(tmp_path), coins, strict=True):
        assert one.instrument == whole.instrument
        expected = whole.between(KNOWN - 40, KNOWN + 20)
        assert one.fingerprint() == expected.fingerprint()
    (five, _) = bootstrap.tape_series(tmp_path, Timeframe.parse("10m"))
    assert five.timeframe == Timeframe(10 * MINUTE)
    assert int(five.open_time_ms[0]) >= START
    with pytest.raises(DataError, match="holds candles of 1m, 5m, and 30s are wanted"):
        bootstrap.tape_series(tmp_path, Timeframe.parse("30s"))


def test_a_book_that_is_asked_for_anew_is_counted_where_prometheus_looks(tmp_path):
    server = BybitServer(two_coins(), known=KNOWN, costs=COSTS)
    told, seen = [], []

    def lose_one(step):
        server.faults.stream = StreamFaults(lose=1.0, topics=("orderbook.50.BTC",)) if step == 3 else StreamFaults()
        if step == 9:
            url = told[0].partition("Metrics: ")[2].partition(",")[0]
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not (seen and "resyncs_total{" in seen[-1]):
                seen.append(urllib.request.urlopen(url, timeout=5).read().decode())
                time.sleep(0.05)

    with in_thread(server) as run:
        recorded = record(server, run, tmp_path, 10, lose_one, metrics_at=("127.0.0.1", 0), tell=told.append)
    assert recorded.book_resyncs == 1
    assert 'triptych_book_resyncs_total{symbol="BTCUSDT"} 1.0' in seen[-1]
    assert 'triptych_book_resyncs_total{symbol="ETHUSDT"}' not in seen[-1]
    assert 'triptych_candles_total{symbol="BTCUSDT",timeframe="1m"}' in seen[-1]
    assert "triptych_ready 1.0" in seen[-1]


def test_a_recording_that_is_killed_goes_on_and_lacks_no_candle(tmp_path):
    server = BybitServer(two_coins(), known=KNOWN, costs=COSTS)
    with in_thread(server) as run:
        program = textwrap.dedent(f"""
            from pathlib import Path
            from triptych import bootstrap
            from triptych.exchanges.bybit.hosts import Config
            from triptych.market.tapes import Config as Cut
            bootstrap.record_tape(
                {SYMBOLS!r}, Path({str(tmp_path)!r}), timeframes=["1m", "5m"], history=40,
                where=Config.model_validate({server.hosts.model_dump()!r}), config=Cut(flush_seconds=0),
            )
        """)
        child = subprocess.Popen([sys.executable, "-c", program])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and newest(tmp_path) < START + KNOWN * MINUTE:
            time.sleep(0.05)
        for _ in range(7):
            run(server.step())
        while time.monotonic() < deadline and newest(tmp_path) < server.tape.now_ms:
            time.sleep(0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert [path.name for path in tmp_path.glob("*.open")] == ["000001.jsonl.open"]
        for _ in range(6):  # nobody listens
            run(server.step())
        recorded = record(server, run, tmp_path, 5)
    assert recorded.asked_for == 2 * (6 + 1)
    for one, whole in zip(bootstrap.tape_series(tmp_path), two_coins(), strict=True):
        assert one.fingerprint() == whole.between(KNOWN - 40, KNOWN + 18).fingerprint()


def test_there_must_be_something_to_record(tmp_path):
    with pytest.raises(DataError, match="There is nothing to record"):
        bootstrap.record_tape([], tmp_path)
    with pytest.raises(DataError, match="Bybit has no candles of 7m"):
        bootstrap.record_tape(["BTCUSDT"], tmp_path, timeframes=["7m"])
