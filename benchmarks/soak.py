"""A day of market time at an accelerated clock, over sockets: does the house grow?

The house is a process of its own and decides at every close of three instruments; its resident memory is read from the
system once an hour of market time. The slope is the least-squares line over the hours after the first four, in which
libraries and caches fill.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._table import Row, main
from benchmarks._trading_house import CAPITAL
from benchmarks.chaos.segment import KNOWN, SYMBOLS, Child, tape
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer

CLOSES_AN_HOUR, WARM_UP_HOURS = 60, 4


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


async def soak(hours: int, folder: Path) -> tuple[list[float], int, int]:
    """Resident MiB at the end of each hour of market time, decisions taken, fills made."""
    series = [tape(symbol, 11) for symbol in SYMBOLS]
    samples: list[float] = []
    decisions = 0
    async with BybitServer(series, known=KNOWN, costs=Costs(leverage=10), capital=CAPITAL) as server:
        child = await Child.start(server, folder / "journal.db")
        await child.hear("ready")
        try:
            for _ in range(hours):
                for n in range(CLOSES_AN_HOUR):
                    await server.step()
                    await asyncio.sleep(0.03)
                    while n % 5 == 4:  # never far ahead of the house
                        report = await child.report()
                        assert report is not None, "the house has ended"
                        decisions = report["decisions"]
                        if report["observed_ms"] >= server.tape.now_ms:
                            break
                        await asyncio.sleep(0.05)
                samples.append(resident_mb(child.process.pid))
        finally:
            await child.kill()
        return samples, decisions, len(server.desk.executions)


def slope_mb_an_hour(samples: list[float]) -> float:
    """Of the least-squares line through the hours after the warm-up."""
    settled = np.array(samples[min(WARM_UP_HOURS, len(samples) - 2) :])
    return float(np.polyfit(np.arange(len(settled)), settled, 1)[0])


def rows(quick: bool) -> list[Row]:
    """24 hours; 2 under `--quick`."""
    with tempfile.TemporaryDirectory() as folder:
        samples, decisions, fills = asyncio.run(soak(2 if quick else 24, Path(folder)))
    return [
        Row(name="growth of resident memory", ours=slope_mb_an_hour(samples), unit="MiB an hour of market time",
            lower_is_better=True),
        Row(name="resident memory at the end", ours=samples[-1], unit="MiB", lower_is_better=True),
        Row(name="hours of market time", ours=len(samples), unit="h"),
        Row(name="decisions", ours=decisions, unit="closes of three instruments"),
        Row(name="fills", ours=fills, unit="fills"),
    ]  # fmt: skip


if __name__ == "__main__":
    main(rows, "A day of market time at an accelerated clock: the memory of a trading house.")
