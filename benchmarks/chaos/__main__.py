"""`python -m benchmarks.chaos`: kill a trading house 1,000 times. Ended and begun again, it goes on where it was.

The kills are made in segments of 25, each with a market, a venue and a journal of its own; every second segment has a
bad wire besides (lost replies and requests, lost, doubled and swapped messages, rate limits). What a segment found is
written to the file of results as soon as it has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.chaos.segment import Segment
from triptych.domain.files import write_json

A_SEGMENT = 25
PACE_S = 0.1


def run_segment(number: int, kills: int) -> dict[str, Any]:
    """One segment; its number is its seed."""
    with tempfile.TemporaryDirectory(prefix="triptych-chaos-") as folder:
        segment = Segment(Path(folder), seed=number, kills=kills, pace_s=PACE_S, storm=bool(number % 2))
        return asyncio.run(segment.run()).as_json()


def summary(segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All segments as one."""
    kills: Counter[str] = Counter()
    for one in segments:
        kills.update(one["kills"])
    spans = {name: [x for one in segments for x in one[name]] for name in ("ready_s", "started_s", "reconciled_s")}
    told = {
        "kills": sum(kills.values()), "kills_by": dict(kills),
        "duplicate_orders": sum(len(one["duplicates"]) for one in segments),
        "unknown_positions": sum(len(one["unknown_positions"]) for one in segments),
        "executions_lost_or_invented": sum(len(one["lost_fills"]) for one in segments),
        "unprotected_seconds": sum(one["unprotected_s"] for one in segments),
        "largest_gross_exposure": max(one["largest_exposure"] for one in segments),
        "orders": sum(one["orders"] for one in segments), "executions": sum(one["fills"] for one in segments),
        "closes": sum(one["closes"] for one in segments), "starts_measured": len(spans["ready_s"]),
    }  # fmt: skip
    for name, values in spans.items():
        cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
        told |= {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98], f"{name}_max": max(values)}
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left to do. Returns 0 when every promise held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1_000, help="how many in all [1000]")
    parser.add_argument("--lanes", type=int, default=2, help="segments side by side [2]")
    parser.add_argument("--results", type=Path, default=Path("runs/chaos.json"), help="file [runs/chaos.json]")
    options = parser.parse_args(arguments)
    done: dict[int, dict[str, Any]] = {}
    if options.results.exists():
        known = json.loads(options.results.read_text(encoding="utf-8"))["segments"]
        done = {int(number): one for number, one in known.items()}
    wanted = range(-(-options.kills // A_SEGMENT))
    sizes = {n: min(A_SEGMENT, options.kills - n * A_SEGMENT) for n in wanted}
    console, failed = Console(), list[int]()
    with Progress(console=console) as bar, ProcessPoolExecutor(options.lanes) as lanes:
        task = bar.add_task("kills", total=options.kills, completed=sum(sizes[n] for n in wanted if n in done))
        running = {lanes.submit(run_segment, n, sizes[n]): n for n in wanted if n not in done}
        for future in as_completed(running):
            number = running[future]
            if (failure := future.exception()) is not None:
                failed.append(number)
                console.print(f"Segment {number} was not finished, begin it again by the same command: {failure!r}")
                continue
            done[number] = future.result()
            bar.advance(task, sizes[number])
            told = summary(list(done.values()))
            write_json(options.results, {"summary": told, "segments": {str(n): done[n] for n in sorted(done)}})
    told = summary(list(done.values()))
    table = Table(
        title="A house killed at random, under load, on the simulated exchange over sockets", show_header=False
    )
    for name, value in told.items():
        table.add_row(name.replace("_", " "), f"{value:,.3g}" if isinstance(value, float) else str(value))
    console.print(table)
    broken = told["duplicate_orders"] + told["unknown_positions"] + told["executions_lost_or_invented"]
    return 1 if failed or broken or told["unprotected_seconds"] else 0


if __name__ == "__main__":
    sys.exit(main())
