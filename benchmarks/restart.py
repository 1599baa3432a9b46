"""From the start of a process to a house that is reconciled, and to one that may decide: `triptych live`, killed.

A trained model (a small one: what counts are the libraries and the venue, not the weights) trades on the simulated
exchange over sockets. The process is killed (SIGKILL) with a position open and begun again; the clock runs from before
the new process is made until it says that books and venue were reconciled, and until its `/readyz` answers that
decisions may be taken. Processor time is that of the process at these moments: what a machine that is not busy takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from benchmarks._table import Row, main
from triptych import bootstrap
from triptych.domain import CandleSeries
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer
from triptych.settings import load_recipe

SMALL = (
    "name=restart", "data.synthetic.n_candles=1000", "data.synthetic.instruments=1", "window.length=16",
    "window.stride=2", "encoding.name=gasf", "model.width=0.1", "model.depth=0.1", "target.horizon=4",
    "target.up_multiple=0.2", "target.down_multiple=0.2", "training.epochs=1", "training.batch_size=16",
    "training.num_threads=1", "evaluation.resamples=100", "strategy.enter=0.34", "strategy.exit=0.3",
    "strategy.margin=0",
)  # fmt: skip
"""What makes the shipped recipe `demo` one of seconds that trades soon."""
PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Restart:
    """Seconds from the start of the process, by the clock and of its processor time."""

    reconciled_s: float
    reconciled_cpu_s: float
    ready_s: float
    ready_cpu_s: float


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def begin(folder: Path, run: Path, server: BybitServer, symbol: str) -> asyncio.subprocess.Process:
    """A new process of the house."""
    hosts = server.hosts
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "triptych", "live", str(run), "--venue", "local", "--symbol", symbol, "--journal",
        str(folder / "live.db"), "--metrics", "0", "--set", f"hosts.rest={hosts.rest}", "--set",
        f"hosts.public={hosts.public}", "--set", f"hosts.private={hosts.private}", "--set", "device=cpu",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "BYBIT_API_KEY": "key", "BYBIT_API_SECRET": "secret", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


async def hear(process: asyncio.subprocess.Process, word: str) -> str:
    """The line that holds a word. Raises RuntimeError when the house ends before."""
    assert process.stdout is not None
    said = ""
    while line := (await process.stdout.readline()).decode():
        said += line
        if word in line:
            return line
    raise RuntimeError(f"The house has ended: {said}")


async def until_ready(client: aiohttp.ClientSession, port: str) -> None:
    """Wait until decisions may be taken. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.01)


async def restarts(folder: Path, run: Path, series: CandleSeries, count: int) -> list[Restart]:
    """Kill the house and begin it again, so many times; the first one of all begins with an empty journal."""
    found: list[Restart] = []
    async with (
        BybitServer([series], known=900, costs=Costs(leverage=10)) as server,
        aiohttp.ClientSession() as client,
    ):
        for n in range(count + 1):
            began_s = time.monotonic()
            process = await begin(folder, run, server, series.symbol)
            try:
                if n:
                    await hear(process, "Reconciled with the venue")
                reconciled = time.monotonic() - began_s, cpu_s(process.pid)
                port = (await hear(process, "Metrics: ")).partition("127.0.0.1:")[2].partition("/")[0]
                await until_ready(client, port)
                if n:
                    found.append(
                        Restart(
                            reconciled_s=reconciled[0], reconciled_cpu_s=reconciled[1],
                            ready_s=time.monotonic() - began_s, ready_cpu_s=cpu_s(process.pid),
                        )
                    )  # fmt: skip
                for _ in range(1 if n else 20):  # so that the next one finds something
                    await server.step()
                    await asyncio.sleep(0.2)
            finally:
                process.kill()
                await process.communicate()
    return found


def rows(quick: bool) -> list[Row]:
    """20 restarts; 3 under `--quick`."""
    recipe = load_recipe("demo", SMALL)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        run = bootstrap.train(recipe, folder=folder / "run", progress_bar=False)
        (series,) = bootstrap.load_candles(recipe).series
        traded = replace(series.instrument, symbol=series.symbol.replace("-", ""), venue="bybit")
        series = replace(series, instrument=traded)
        found = asyncio.run(restarts(folder, run.folder, series, 3 if quick else 20))
    told = [
        ("reconciled, median (promised: below 5)", statistics.median(one.reconciled_s for one in found)),
        ("reconciled, slowest", max(one.reconciled_s for one in found)),
        ("reconciled, processor time", statistics.median(one.reconciled_cpu_s for one in found)),
        ("models loaded, may decide, median", statistics.median(one.ready_s for one in found)),
        ("models loaded, may decide, slowest", max(one.ready_s for one in found)),
        ("models loaded, may decide, processor time", statistics.median(one.ready_cpu_s for one in found)),
    ]
    return [Row(name=name, ours=seconds, unit="s from process start", lower_is_better=True) for name, seconds in told]


if __name__ == "__main__":
    main(rows, "A killed house begins again: from process start to reconciled.")
