"""One segment: a market that never stops, a house that is killed again and again, and a judge on the venue's side.

The market and the venue live in this process and are served over sockets; the house is a child, started by its command
line and killed by SIGKILL: at a random moment by us, or by itself at a random turn of its event loop or at a random
point around journal and wire. After every start the market is held for a moment, and what the house believes is
compared with what the venue knows.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks._trading_house import CAPITAL, MINUTE, NAME
from triptych.domain import CandleSeries, Instrument, OrderFilled
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer, RestFault, StreamFaults
from triptych.live.journal import Journal, StepRecorded

START_MS = 1_700_006_400_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
KNOWN, CANDLES = 60, 20_000
PATIENCE_S = 180.0
ROOT = Path(__file__).parents[2]
"""Where `benchmarks` can be imported from."""
How = Literal["moment", "early", "turn", "point"]


@dataclass(kw_only=True)
class Findings:
    """What came of the kills of one segment.

    Attributes:
        kills: by how they were brought about.
        ready_s: from the start of each process to venue and books being of one mind, seconds.
        started_s: from the start of each process to its first reconciliation, seconds.
        reconciled_s: of that, from holding the lease on: connecting, recovering, reconciling, seconds.
        duplicates: orders at the venue that the journal does not hold, or that are there twice for one decision.
        unknown_positions: starts after which books and venue did not come to agree.
        unprotected_s: market time during which a position stood at the venue without a stop.
        lost_fills: executions of the venue that the journal lacks, or the other way round.
        largest_exposure: gross notional by equity, at its largest.
        orders, fills, closes: how much happened.
    """

    kills: Counter[str] = field(default_factory=Counter)
    ready_s: list[float] = field(default_factory=list)
    started_s: list[float] = field(default_factory=list)
    reconciled_s: list[float] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unknown_positions: list[str] = field(default_factory=list)
    unprotected_s: float = 0.0
    lost_fills: list[str] = field(default_factory=list)
    largest_exposure: float = 0.0
    orders: int = 0
    fills: int = 0
    closes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "kills": dict(self.kills)}


def tape(symbol: str, seed: int, n: int = CANDLES) -> CandleSeries:
    """One-minute candles whose rises and falls carry on a little: the rule has something to do at most closes."""
    generator = np.random.default_rng([seed, len(symbol), sum(map(ord, symbol))])
    steps = generator.normal(0, 0.0008, n)
    for t in range(1, n):
        steps[t] += 0.2 * steps[t - 1]
    close = 20_000 * np.exp(np.cumsum(steps - steps.mean()))
    opening = np.concatenate([[20_000.0], close[:-1]])
    high = np.maximum(opening, close) * (1 + generator.uniform(0, 0.0005, n))
    low = np.minimum(opening, close) * (1 - generator.uniform(0, 0.0005, n))
    values = np.round(np.stack([opening, high, low, close, generator.uniform(50, 90, n)], axis=1), 1)
    instrument = Instrument(
        symbol=symbol, venue="bybit", price_step=Decimal("0.1"), quantity_step=Decimal("0.001"),
        minimum_quantity=Decimal("0.001"), minimum_notional=Decimal(5), maximum_leverage=Decimal(100),
    )  # fmt: skip
    times = START_MS + MINUTE.milliseconds * np.arange(n)
    return CandleSeries(instrument=instrument, timeframe=MINUTE, open_time_ms=times, values=values)


class Child:
    """A house in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, started_s: float) -> None:
        self.process, self.started_s = process, started_s
        self.said: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, server: BybitServer, journal: Path, **more: object) -> Child:
        """Begin a process; what it says comes by `hear`. `more` goes into its orders: its fate, symbols, a model."""
        started_s = time.monotonic()
        order = {
            "hosts": server.hosts.model_dump(), "symbols": list(SYMBOLS), "journal": str(journal),
            "started_s": started_s, **more,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.chaos.child", json.dumps(order), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        return cls(process, started_s)

    async def hear(self, word: str) -> dict[str, Any] | None:
        """The next line that has this key; None when the process ends before. Raises TimeoutError in the end."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                self.said.append(json.loads(line))
                if word in self.said[-1]:
                    return self.said[-1]
        return None

    async def report(self) -> dict[str, Any] | None:
        """Where its books stand; None when it is dead."""
        assert self.process.stdin is not None
        with suppress(ConnectionError):
            self.process.stdin.write(b"\n")
            await self.process.stdin.drain()
        return await self.hear("positions")

    async def kill(self, *, by_us: bool = True) -> str:
        """SIGKILL, unless it dies by itself. Returns what it wrote to its error output. Raises RuntimeError for any
        other end.
        """
        if by_us:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
        _, errors = await self.process.communicate()
        if self.process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"The house ended with {self.process.returncode}, unkilled: {errors.decode()[-2000:]}")
        return errors.decode()


class Segment:
    """See the module."""

    def __init__(self, folder: Path, *, seed: int, kills: int, pace_s: float, storm: bool) -> None:
        """Bring about `kills` ends; a candle closes every `pace_s` seconds. `storm`: the wire is bad, too."""
        self._journal, self._kills, self._pace_s, self._storm = folder / "journal.db", kills, pace_s, storm
        self._random = random.Random(seed)
        series = [tape(symbol, seed) for symbol in SYMBOLS]
        self._server = BybitServer(
            series, known=KNOWN, costs=Costs(leverage=10), capital=CAPITAL, seed=seed, keys={"key": "secret"}
        )
        self._may_step = asyncio.Event()
        self._stands_still = asyncio.Event()
        self.findings = Findings()

    async def run(self) -> Findings:
        """The whole segment. Raises RuntimeError when a house ends otherwise than by SIGKILL."""
        async with self._server as server:
            if self._storm:
                server.faults.stream = StreamFaults(lose=0.02, double=0.05, swap=0.05)
            market = asyncio.create_task(self._market())
            self._may_step.set()
            try:
                for _ in range(self._kills):
                    await self._cycle()
                await self._last_words()
            finally:
                market.cancel()
                await asyncio.gather(market, return_exceptions=True)
        self._audit()
        return self.findings

    async def _market(self) -> None:
        while True:
            if not self._may_step.is_set():
                self._stands_still.set()
                await self._may_step.wait()
                self._stands_still.clear()
            if self._storm and self._random.random() < 0.05:
                kind = self._random.choice(["lose_reply", "lose_request", "rate_limit", "delay"])
                self._server.faults.add(RestFault(kind=kind, path="/v5/order", seconds=0.05))
            await self._server.step()
            self.findings.closes += 1
            self._look_at_the_venue()
            await asyncio.sleep(self._pace_s)

    def _look_at_the_venue(self) -> None:
        venue, gross = self._server.desk.venue, Decimal(0)
        for symbol in SYMBOLS:
            quantity = venue.position(symbol).quantity
            gross += abs(quantity) * venue.mark(symbol)
            if quantity and venue.protection(symbol)[0] is None:
                self.findings.unprotected_s += MINUTE.milliseconds / 1000
        self.findings.largest_exposure = max(self.findings.largest_exposure, float(gross / venue.equity))

    async def _cycle(self) -> None:
        """One process from its start to its end."""
        how: How = self._random.choices(["moment", "early", "turn", "point"], weights=[4, 2, 2, 2])[0]
        fate: dict[str, dict[str, object]] = {
            "turn": {"turns": self._random.randrange(1, 1500)}, "point": {"points": self._random.randrange(1, 150)},
        }  # fmt: skip
        child = await Child.start(self._server, self._journal, **fate.get(how, {}))
        self.findings.kills[how] += 1
        if how == "early":
            usual = self.findings.ready_s[-1] if self.findings.ready_s else 2.0
            await asyncio.sleep(self._random.uniform(0.5, 1.1) * usual)
            await child.kill()
            return
        if await self._is_of_one_mind(child):
            if how == "moment":
                await asyncio.sleep(self._random.uniform(0, 8 * self._pace_s))
                await child.kill()
                return
        elif child.process.returncode is None and how == "moment":
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await child.kill(by_us=False)
            except TimeoutError:
                raise RuntimeError(f"The house fell silent: {child.said[-3:]}") from None
            return
        await child.kill(by_us=False)

    async def _is_of_one_mind(self, child: Child) -> bool:
        """Wait until the house is reconciled, and compare. Returns whether it lives on."""
        leads = await child.hear("leads")
        started = leads and await child.hear("started")
        try:
            ready = started and await child.hear("ready")
        except TimeoutError:
            self.findings.unknown_positions.append(f"never reconciled: {child.said[-1]}")
            await child.kill()
            return False
        if not leads or not started or not ready:
            return False
        self.findings.reconciled_s.append(ready["after_s"] - leads["after_s"])
        self.findings.started_s.append(started["after_s"])
        self.findings.ready_s.append(ready["after_s"])
        self._may_step.clear()
        await self._stands_still.wait()
        try:
            return await self._agree(child)
        finally:
            self._may_step.set()

    async def _agree(self, child: Child) -> bool:
        """Ask until books and venue agree, for ten seconds at most: messages are on their way."""
        end = time.monotonic() + 10.0
        while report := await child.report():
            theirs = {symbol: str(self._server.desk.venue.position(symbol).quantity) for symbol in SYMBOLS}
            if _same(report["positions"], theirs) and not report["reasons"]:
                return True
            if time.monotonic() > end:
                self.findings.unknown_positions.append(f"{report} against {theirs}")
                return True
            await asyncio.sleep(0.05)
        return False

    async def _last_words(self) -> None:
        """A last house, which is not killed before it has heard of everything."""
        self._server.faults.clear()
        child = await Child.start(self._server, self._journal)
        if not await self._is_of_one_mind(child):
            raise RuntimeError(f"The last house did not become ready: {child.said[-3:]}")
        self._may_step.clear()
        await self._stands_still.wait()
        await self._agree(child)
        await child.kill()

    def _audit(self) -> None:
        """Every order at the venue stands in the journal, once for one decision; every execution is known."""
        journal, found = Journal.read(self._journal, NAME), self.findings
        steps = [entry.record for entry in journal.entries(kinds=(StepRecorded,))]
        booked = {entry.record.fill_id for entry in journal.entries(kinds=(OrderFilled,))}
        journal.close()
        written = {command.order_id for step in steps for command in step.commands}
        reached = [one.link_id for one in self._server.desk.orders.values() if one.link_id]
        found.duplicates += [f"{name} is not in the journal" for name in reached if name not in written]
        wanted = Counter(_meaning(name) for name in reached)
        found.duplicates += [f"{meaning} was sent {n} times" for meaning, n in wanted.items() if n > 1]
        traded = {row["execId"] for row in self._server.desk.executions}
        found.lost_fills += sorted(traded ^ booked)
        found.orders, found.fills = len(reached), len(traded)


def _same(ours: dict[str, str], theirs: dict[str, str]) -> bool:
    return {k: Decimal(v) for k, v in ours.items()} == {k: Decimal(v) for k, v in theirs.items()}


def _meaning(order_id: str) -> str:
    """What an order is for: its id without the token of its sender, which stands before the first dash."""
    return order_id.partition("-")[2]
