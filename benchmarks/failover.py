"""A standby takes over from a leader that is killed, and from one that is stopped and wakes again.

Two processes of one house on one journal, over sockets on the simulated exchange. The leader is killed (the standby
need not wait for the lease to run out: it sees that the process is gone), or stopped by SIGSTOP at a random moment (the
standby waits for the lease of 3 s) and continued once the standby trades: from then on it must not place an order.

Stopped in the middle of a write it would keep SQLite locked for as long as it sleeps, so that nobody could take over;
then it is continued and stopped once more, a moment later.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks._table import Row, main
from benchmarks._trading_house import CAPITAL
from benchmarks.chaos.segment import KNOWN, SYMBOLS, Child, tape
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer

PACE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class TakeOver:
    """One takeover.

    Attributes:
        leads_s: from the leader's end until the standby holds the lease.
        trades_s: until venue and books of the standby are of one mind.
        late_orders: ids of orders that the old leader placed after the standby had the lease.
        last_words: what the old leader said at its end.
        orders: placed by the standby afterwards.
        unprotected_s: market time in which a position had no stop at the venue.
        agrees: whether books and venue agreed at the end.
    """

    leads_s: float
    trades_s: float
    late_orders: tuple[str, ...]
    last_words: str
    orders: int
    unprotected_s: float
    agrees: bool


async def take_over(folder: Path, how: Literal["kill", "stop"], seed: int) -> TakeOver:
    """Let a standby take over once. Raises TimeoutError when it does not."""
    chance = random.Random(seed)
    server = BybitServer(
        [tape(symbol, seed) for symbol in SYMBOLS], known=KNOWN, costs=Costs(leverage=10), capital=CAPITAL, seed=seed
    )
    unprotected_s = 0.0

    async def market() -> None:
        nonlocal unprotected_s
        while await server.step():
            venue = server.desk.venue
            bare = [s for s in SYMBOLS if venue.position(s).quantity and venue.protection(s)[0] is None]
            unprotected_s += 60.0 * len(bare)
            await asyncio.sleep(PACE_S)

    def placed(token: int) -> set[str]:
        return {one.link_id for one in server.desk.orders.values() if f"_{token}-" in one.link_id}

    async with server:
        leader = await Child.start(server, folder / "journal.db")
        await leader.hear("ready")
        standby = await Child.start(server, folder / "journal.db")
        await standby.hear("waits")
        running = asyncio.create_task(market())
        try:
            while len(placed(1)) < 3:
                await asyncio.sleep(0.02)
            await asyncio.sleep(chance.uniform(0, 5 * PACE_S))
            ended = time.monotonic()
            os.kill(leader.process.pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
            while how == "stop" and is_locked(folder / "journal.db"):
                os.kill(leader.process.pid, signal.SIGCONT)
                await asyncio.sleep(chance.uniform(0.005, 0.05))
                os.kill(leader.process.pid, signal.SIGSTOP)
                ended = time.monotonic()
            await standby.hear("leads")
            leads_s, before = time.monotonic() - ended, placed(1)
            await standby.hear("ready")
            trades_s, last_words = time.monotonic() - ended, "killed"
            if how == "stop":
                os.kill(leader.process.pid, signal.SIGCONT)
                fenced = await leader.hear("fenced")
                last_words = "" if fenced is None else str(fenced["fenced"])
            while len(placed(2)) < 3:
                await asyncio.sleep(0.02)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        report = await standby.report()
        held = {symbol: server.desk.venue.position(symbol).quantity for symbol in SYMBOLS}
        agrees = report is not None and {s: str(q) for s, q in held.items()} == report["positions"]
        for one in (leader, standby):
            if one.process.returncode is None:
                one.process.kill()
            await one.process.communicate()
        return TakeOver(
            leads_s=leads_s, trades_s=trades_s, late_orders=tuple(placed(1) - before), last_words=last_words,
            orders=len(placed(2)), unprotected_s=unprotected_s, agrees=agrees,
        )  # fmt: skip


def is_locked(path: Path) -> bool:
    """Whether somebody is in the middle of a write."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def rows(quick: bool) -> list[Row]:
    """Medians of several takeovers."""
    found: list[Row] = []
    for how in ("kill", "stop"):
        results = []
        for seed in range(2 if quick else 10):
            with tempfile.TemporaryDirectory() as folder:
                results.append(asyncio.run(take_over(Path(folder), how, seed)))  # type: ignore[arg-type]
        late = sum(len(one.late_orders) for one in results)
        bare = sum(one.unprotected_s for one in results)
        name = "leader killed" if how == "kill" else "leader stopped, lease of 3 s"
        seconds = {"lease taken": [one.leads_s for one in results], "reconciled": [one.trades_s for one in results]}
        for what, values in seconds.items():
            found.append(
                Row(name=f"{name}: {what}, median", ours=statistics.median(values), unit="s", lower_is_better=True)
            )
            found.append(Row(name=f"{name}: {what}, longest", ours=max(values), unit="s", lower_is_better=True))
        found.append(Row(name=f"{name}: late orders of the old leader", ours=late, unit="orders", lower_is_better=True))
        found.append(Row(name=f"{name}: unprotected", ours=bare, unit="s", lower_is_better=True))
        wrong = sum(not one.agrees for one in results)
        found.append(Row(name=f"{name}: books unlike the venue's", ours=wrong, unit="takeovers", lower_is_better=True))
    return found


if __name__ == "__main__":
    main(rows, "A standby process takes over; both on one journal, over sockets on the simulated exchange.")
