"""What all benchmarks share: options, timing with alternating sides, the table, and the JSON file.

def rows(quick: bool) -> list[Row]:
    ours_s, peer_s = alternate(ours, peer, repeats=3 if quick else 9)
    return [Row(name="draw", ours=n / ours_s, peer=n / peer_s, peer_name="theirs", unit="images/s")]

if __name__ == "__main__":
    main(rows, "What is measured here.")
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import THREAD_VARIABLES
from triptych.domain import files

WIDTH = 120
"""Columns of a table that goes to a file or a pipe."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        name: what was measured.
        ours: our figure in `unit`.
        peer: the peer's figure in the same unit, measured in the same run; None without a peer.
        peer_name: who the peer is.
        floor: the best figure the machine allows (memory writes, disk, clock), in the same unit; None when unknown.
        unit: of all three, such as "images/s" or "ms".
        lower_is_better: True for times, False for rates.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    floor: float | None = None
    lower_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the peer; None without a peer."""
        if self.peer is None or not self.peer or not self.ours:
            return None
        return self.peer / self.ours if self.lower_is_better else self.ours / self.peer

    def as_json(self) -> dict[str, object]:
        """The row in the layout of the JSON file; a figure that is not finite becomes null."""
        figures = {"ours": self.ours, "peer": self.peer, "ratio": self.ratio, "floor": self.floor}
        finite = {key: x if x is not None and math.isfinite(x) else None for key, x in figures.items()}
        return {"name": self.name, **finite, "peer_name": self.peer_name, "unit": self.unit}


def alternate(*sides: Callable[[], object], repeats: int = 7, warm_ups: int = 1) -> tuple[float, ...]:
    """Median seconds of each side, measured in turns in one run, so that a busy machine hurts all of them alike.

    Args:
        sides: callables without arguments, such as ours, the peer, the floor.
        repeats: rounds; every second round runs the sides in reverse order.
        warm_ups: untimed calls of each side before the first round.

    Returns:
        One median per side, in the order given.
    """
    for side in sides:
        for _ in range(warm_ups):
            side()
    seconds: list[list[float]] = [[] for _ in sides]
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        for repeat in range(repeats):
            order = range(len(sides)) if repeat % 2 == 0 else range(len(sides) - 1, -1, -1)
            for position in order:
                started = time.perf_counter()
                sides[position]()
                seconds[position].append(time.perf_counter() - started)
    finally:
        if was_collecting:
            gc.enable()
    return tuple(statistics.median(column) for column in seconds)


def machine(packages: Sequence[str] = ()) -> dict[str, object]:
    """Facts about the machine and the versions that the figures depend on."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "usable_cores": affinity,
        "load_average_1m": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "torch_threads": torch.get_num_threads(),
        "thread_variables": {name: os.environ.get(name) for name in THREAD_VARIABLES},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("triptych", "torch", "numpy", *packages)},
    }


def main(
    rows_fn: Callable[[bool], list[Row]],
    description: str,
    *,
    packages: Sequence[str] = (),
    arguments: Sequence[str] | None = None,
    picture: Callable[[bool, Path], None] | None = None,
) -> list[Row]:
    """Run a benchmark from the command line: print its table and, with `--json FILE`, write the file.

    Args:
        rows_fn: measures and returns the rows; its argument is True under `--quick` (done within a minute).
        description: one or two sentences, shown above the table and under `--help`.
        packages: peers whose versions belong to the record.
        arguments: instead of those of the command line.
        picture: draws to the file of `--picture FILE` once the table stands; its first argument is that of `rows_fn`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows and machine facts to FILE")
    parser.add_argument("--quick", action="store_true", help="fewer repeats: done within a minute")
    if picture is not None:
        parser.add_argument(
            "--picture", type=Path, metavar="FILE", help="draw the curves behind the table to FILE (.png)"
        )
    options = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    facts = machine(packages)
    rows = rows_fn(options.quick)
    print_table(rows, description, facts)
    if options.json is not None:
        write_json(options.json, rows, facts)
    if picture is not None and options.picture is not None:
        picture(options.quick, options.picture)
    return rows


def print_table(rows: Sequence[Row], description: str, facts: dict[str, object]) -> None:
    """Print the rows with rich, and below them what they were measured on."""
    table = Table(title=description, title_justify="left")
    table.add_column("what", overflow="fold")
    for heading in ("ours", "peer", "times better", "floor"):
        table.add_column(heading, justify="right")
    table.add_column("peer is")
    table.add_column("unit")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:,.2f}"
        table.add_row(
            row.name, _figure(row.ours), _figure(row.peer), ratio, _figure(row.floor), row.peer_name, row.unit
        )  # fmt: skip
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table)
    console.print(
        f"{facts['processor']}, {facts['usable_cores']} usable cores, torch threads: {facts['torch_threads']}, "
        f"load at the start: {facts['load_average_1m']}; medians of alternating runs.",
        highlight=False,
    )


def write_json(path: Path, rows: Sequence[Row], facts: dict[str, object]) -> None:
    """Write `{"rows": [...], "machine": {...}}`, atomically."""
    files.write_json(path, {"rows": [row.as_json() for row in rows], "machine": facts})


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
