"""A tape as `triptych data record` writes one: candles of a minute and an order book that changes between closes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.fakes.served import BITCOIN, MINUTE, tape

from triptych.domain import CandleSeries
from triptych.exchanges.simulated.server import BybitServer
from triptych.market.tapes import About, TapeEntry, TapeWriter

BOOK, CANDLE = "orderbook.50.BTCUSDT", "kline.1.BTCUSDT"
LEVELS = 12


def booked_tape(folder: Path, n: int = 150, *, seed: int = 5, hole: int | None = None) -> CandleSeries:
    """Write the tape and return its candles.

    Each minute brings a whole book around the last price, three changes of its best sizes at odd times, and after the
    candle one more that is stamped with the very close. In the minute `hole` the book is silent.
    """
    series, random = tape(n), np.random.default_rng(seed)
    about = About(
        venue="bybit", category="linear", topics=(CANDLE, BOOK), timeframes=("1m",), instruments=(BITCOIN,)
    )  # fmt: skip
    number = 0

    def book(kind: str, time_ms: int, best: float, levels: int) -> TapeEntry:
        nonlocal number
        number += 1
        sides = {
            side: [
                [f"{best + sign * (k + 1) / 10:.1f}", f"{random.gamma(2.0, 1.0) + 0.001:.3f}"] for k in range(levels)
            ]
            for side, sign in (("b", -1), ("a", 1))
        }
        content = {
            "topic": BOOK, "type": kind, "ts": time_ms, "cts": time_ms,
            "data": {"s": "BTCUSDT", **sides, "u": number + 10, "seq": number},
        }  # fmt: skip
        return TapeEntry(time_ms * 1_000_000 + 3, BOOK, content)

    with TapeWriter(folder, about) as writer:
        for row, candle in enumerate(series.candle(i) for i in range(n)):
            best = candle.open
            if row != hole:
                writer.append(book("snapshot", candle.open_time_ms + 1, best, LEVELS))
                for at_ms in (137, 20_011, 59_950):
                    writer.append(book("delta", candle.open_time_ms + at_ms, best, 3))
            prices = {name: repr(getattr(candle, name)) for name in ("open", "high", "low", "close", "volume")}
            told = {
                "start": candle.open_time_ms, "end": candle.close_time_ms - 1, "interval": "1", **prices,
                "turnover": "1", "confirm": True, "timestamp": candle.close_time_ms,
            }  # fmt: skip
            content = {"topic": CANDLE, "type": "snapshot", "ts": candle.close_time_ms, "data": [told]}
            writer.append(TapeEntry(candle.close_time_ms * 1_000_000 + 1, CANDLE, content))
            if row != hole:
                writer.append(book("delta", candle.close_time_ms, best, 1))
    assert series.timeframe.milliseconds == MINUTE
    return series


def play_and_interrupt(server: BybitServer, serve: Callable[[Any], Any]) -> None:
    """Wait for a session that has subscribed, play twenty candles to it, and end it as Ctrl-C does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(one.topics for one in server._sessions.open):
        time.sleep(0.05)
    time.sleep(0.3)
    for _ in range(20):
        serve(server.step())
        time.sleep(0.15)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
