"""The process that is killed: `python -m benchmarks.chaos.child '{...}'`.

It says `ready` once it is reconciled, answers every line on its input with where its books stand, and may carry its own
end in it: at the n-th turn of its event loop, or at the n-th of the points around journal and wire.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks._trading_house import House, Slow, house_on, open_journal
from triptych.domain.errors import JournalError, LeaseError
from triptych.exchanges.bybit import hosts
from triptych.exchanges.bybit import transport as transport_


def say(**said: object) -> None:
    """One line to whoever started this process."""
    print(json.dumps(said), flush=True)


class Fate:
    """Ends this process, as the kernel would, when something has happened for the n-th time."""

    def __init__(self, turns: int | None, points: int | None) -> None:
        self._left = {"turn": turns, "point": points}

    def passes(self, what: str) -> None:
        """One more of these."""
        left = self._left[what]
        if left is not None:
            self._left[what] = left - 1
            if left <= 1:
                os.kill(os.getpid(), signal.SIGKILL)


class MortalLoop(asyncio.SelectorEventLoop):
    """Every turn of this loop may be its last: a turn runs what became ready between two awaits."""

    fate: Fate

    def _run_once(self) -> None:
        self.fate.passes("turn")
        super()._run_once()  # type: ignore[misc]


def put_points_around_the_wire(fate: Fate) -> None:
    """Before and after every request; the transport is the one place where HTTP happens."""
    inner = transport_.HttpTransport.send

    async def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        fate.passes("point")
        reply = await inner(self, *args, **kwargs)
        fate.passes("point")
        return reply

    transport_.HttpTransport.send = send  # type: ignore[method-assign]


def put_points_around_the_journal(house: House, fate: Fate) -> None:
    """Before and after every append."""
    inner = house.journal.append

    def append(*records: Any) -> tuple[bool, ...]:
        fate.passes("point")
        new = inner(*records)
        fate.passes("point")
        return new

    house.journal.append = append  # type: ignore[method-assign]


async def live(order: Mapping[str, Any], fate: Fate) -> None:
    """Acquire, recover, reconcile, trade."""
    journal = open_journal(Path(order["journal"]), owner=f"process {os.getpid()}")
    assert journal.lease is not None
    while True:
        try:
            journal.lease.acquire()
            break
        except (LeaseError, JournalError) as error:  # a leader that was stopped may hold the database's lock
            say(waits=error.message)
            await asyncio.sleep(0.2)
    say(leads=journal.lease.token, after_s=time.monotonic() - order["started_s"])
    put_points_around_the_wire(fate)
    predictor = Slow(Path(order["model"])) if order.get("model") else None
    async with house_on(hosts.Config(**order["hosts"]), order["symbols"], journal, predictor=predictor) as house:
        put_points_around_the_journal(house, fate)
        await house.runner.start(house.engine.memory)
        say(started=house.trader.reasons(), after_s=time.monotonic() - order["started_s"])
        tasks = [asyncio.create_task(house.runner.run(asyncio.Event())), asyncio.create_task(_answer(house))]
        tasks.append(asyncio.create_task(_tell_when_reconciled(house, order["started_s"])))
        done, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _tell_when_reconciled(house: House, started_s: float) -> None:
    while house.trader.reasons():
        await asyncio.sleep(0.005)
    say(ready=True, after_s=time.monotonic() - started_s)


async def _answer(house: House) -> None:
    loop = asyncio.get_running_loop()
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: asked.put_nowait(os.read(sys.stdin.fileno(), 4096)))
    while await asked.get():
        await house.trader.reconcile()
        portfolio = house.engine.portfolio
        say(
            positions={symbol: str(portfolio.position(symbol).quantity) for symbol in house.engine.symbols},
            under_way=[one.order_id for one in house.trader.books.under_way], reasons=house.trader.reasons(),
            decisions=house.runner.decisions,
            observed_ms=min(_newest_close(house, symbol) for symbol in house.engine.symbols),
        )  # fmt: skip


def _newest_close(house: House, symbol: str) -> int:
    newest = house.engine.history(symbol, 1)
    return -1 if newest is None else int(newest.close_time_ms[-1])


def main(arguments: str) -> None:
    """Live until killed, by others or by fate."""
    order = json.loads(arguments)
    fate = Fate(order.get("turns"), order.get("points"))
    make: Callable[[], asyncio.AbstractEventLoop] = MortalLoop
    MortalLoop.fate = fate
    with asyncio.Runner(loop_factory=make) as runner:
        try:
            runner.run(live(order, fate))
        except LeaseError as error:
            say(fenced=error.message)


if __name__ == "__main__":
    main(sys.argv[1])
