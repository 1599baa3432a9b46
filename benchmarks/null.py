"""Does the whole pipeline invent an edge where there is none, or miss one that is there?

Runs the shipped recipe `null` on embedded markets with signal 0 and signal 1, one market and one training per seed, and
counts how many verdicts claim an edge. Nothing is chosen afterwards: every run counts.

    python -m benchmarks.null [--seeds 20] [--workers 2] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._table import Row, machine
from triptych import bootstrap
from triptych.domain.files import write_json
from triptych.settings import load_recipe

MOST_FALSE = 2
"""Of 20 markets without signal, at most this many may be said to hold an edge."""
FEWEST_TRUE = 18
"""Of 20 markets with signal 1, at least this many must be said to hold one."""


def run_once(case: tuple[float, int]) -> dict[str, Any]:
    """Train and judge one market given as (signal, seed)."""
    signal, seed = case
    folder = Path(tempfile.mkdtemp(prefix="triptych-null-"))
    start = time.perf_counter()
    try:
        recipe = load_recipe(
            "null", changes={"seed": seed, "data.synthetic.seed": 1000 + seed, "data.synthetic.signal": signal}
        )
        run = bootstrap.train(recipe, folder=folder / "run", progress_bar=False)
        result = bootstrap.backtest(run)
        metrics = bootstrap.evaluate(run)["metrics"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "signal": signal,
        "seed": seed,
        "claims_edge": result["verdict"]["claims_edge"],
        "verdict": result["verdict"]["sentence"],
        "mcc": metrics["mcc"]["value"],
        "mcc_low": metrics["mcc"]["low"],
        "sharpe": result["performance"]["strategy"]["sharpe"],
        "total_return": result["performance"]["strategy"]["total_return"],
        "deflated_sharpe": result["luck"]["deflated_sharpe"],
        "trades": result["performance"]["trades"]["count"],
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    """Run all seeds, print the table, say whether both bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="markets per signal")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--workers", type=int, default=2, help="runs at once, one thread each")
    parser.add_argument("--signals", type=float, nargs="+", default=[0.0, 1.0], help="signals to run")
    parser.add_argument("--json", type=Path, help="write the table here")
    parser.add_argument("--quick", action="store_true", help="one seed per signal")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + (1 if arguments.quick else arguments.seeds))
    console = Console()
    cases = [(signal, seed) for seed in seeds for signal in arguments.signals]
    rows = []
    # Fresh processes: a forked one would share the thread pools of this one.
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        for last in pool.imap(run_once, cases):
            rows.append(last)
            console.print(
                f"signal {last['signal']:g} seed {last['seed']:2d}: {last['verdict']:<28} MCC {last['mcc']:+.3f} "
                f"Sharpe {last['sharpe'] or 0:+.2f} return {100 * last['total_return']:+.1f} % trades {last['trades']} "
                f"({last['seconds']:.0f} s)",
                soft_wrap=True,
            )
    table = Table(title=f"Verdicts of the recipe `null`, {len(seeds)} seed(s) each, after costs")
    for name in ("signal", "claims of an edge", "bound"):
        table.add_column(name, justify="right")
    summary = []
    for signal in arguments.signals:
        claims = sum(row["claims_edge"] for row in rows if row["signal"] == signal)
        bound = {0.0: f"at most {MOST_FALSE} of 20", 1.0: f"at least {FEWEST_TRUE} of 20"}.get(signal, "")
        summary.append(Row(name=f"claims at signal {signal:g}", ours=claims, unit=f"of {len(seeds)}").as_json())
        table.add_row(f"{signal:g}", f"{claims} of {len(seeds)}", bound)
    console.print(table)
    if arguments.json:
        write_json(arguments.json, {"rows": summary, "runs": rows, "machine": machine()})


if __name__ == "__main__":
    main()
