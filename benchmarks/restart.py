"""From the start of a process to a house that is reconciled and may decide: `triptych live`, killed and begun again.

A trained model (a small one: what counts are the libraries and the venue, not the weights) trades on the simulated
exchange over sockets. The process is killed (SIGKILL) with a position open and begun again; the clock runs from before
the new process is made until its `/readyz` answers that decisions may be taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import aiohttp

from benchmarks._table import Row, main
from triptych import bootstrap
from triptych.domain import CandleSeries
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer
from triptych.settings import parse_recipe

RECIPE = """
name = "restart"
seed = 1
[data.synthetic]
seed = 11
n_candles = 1000
instruments = 1
[window]
length = 16
stride = 2
[encoding]
name = "gasf"
[model]
name = "efficientnet_b0"
width = 0.1
depth = 0.1
[target]
horizon = 4
up_multiple = 0.2
down_multiple = 0.2
[training]
epochs = 1
batch_size = 16
num_threads = 1
[evaluation]
resamples = 100
[strategy]
enter = 0.34
exit = 0.3
margin = 0.0
"""
PATIENCE_S = 60.0


async def started(folder: Path, run: Path, server: BybitServer, symbol: str) -> tuple[asyncio.subprocess.Process, int]:
    """A new process of the house, and the port of its readiness."""
    hosts = server.hosts
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "triptych", "live", str(run), "--venue", "local", "--symbol", symbol, "--journal",
        str(folder / "live.db"), "--metrics", "0", "--set", f"hosts.rest={hosts.rest}", "--set",
        f"hosts.public={hosts.public}", "--set", f"hosts.private={hosts.private}", "--set", "device=cpu",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "BYBIT_API_KEY": "key", "BYBIT_API_SECRET": "secret", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while line := (await process.stdout.readline()).decode():
        said += line
        if "Metrics: " in line:
            return process, int(line.partition("Metrics: http://127.0.0.1:")[2].partition("/")[0])
    raise RuntimeError(f"The house has ended: {said}")


async def is_ready(client: aiohttp.ClientSession, port: int) -> bool:
    """Whether decisions may be taken."""
    with contextlib.suppress(aiohttp.ClientError):
        async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    return False


async def restarts(folder: Path, run: Path, series: CandleSeries, count: int) -> list[float]:
    """Seconds from process start to ready, of each restart. Raises TimeoutError when one never is."""
    took: list[float] = []
    async with (
        BybitServer([series], known=900, costs=Costs(leverage=10)) as server,
        aiohttp.ClientSession() as client,
    ):
        for n in range(count + 1):
            began_s = time.monotonic()
            process, port = await started(folder, run, server, series.symbol)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while not await is_ready(client, port):
                        await asyncio.sleep(0.01)
                if n:  # the first one begins with an empty journal, and trades for the others to find something
                    took.append(time.monotonic() - began_s)
                for _ in range(20 if not n else 1):
                    await server.step()
                    await asyncio.sleep(0.2)
            finally:
                process.kill()
                await process.communicate()
    return took


def rows(quick: bool) -> list[Row]:
    """20 restarts; 3 under `--quick`."""
    recipe = parse_recipe(tomllib.loads(RECIPE))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        run = bootstrap.train(recipe, folder=folder / "run", progress_bar=False)
        (series,) = bootstrap.load_candles(recipe).series
        traded = replace(series.instrument, symbol=series.symbol.replace("-", ""), venue="bybit")
        series = replace(series, instrument=traded)
        took = asyncio.run(restarts(folder, run.folder, series, 3 if quick else 20))
    unit = "s from process start to reconciled"
    return [
        Row(name="restart, median (promised: below 5)", ours=statistics.median(took), unit=unit, lower_is_better=True),
        Row(name="restart, slowest", ours=max(took), unit=unit, lower_is_better=True),
    ]


if __name__ == "__main__":
    main(rows, "A killed house begins again: from process start to reconciled.")
