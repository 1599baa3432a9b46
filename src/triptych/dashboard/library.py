"""Finished work: runs with their backtests, and searches, as a folder of runs holds them. Nothing is changed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

RUN, BACKTEST, STUDY, REPORT = "run.json", "backtest/backtest.json", "tuning.json", "report.html"
DEEPEST: Final = 2
"""Folders below the folder of runs that are looked into."""
POINTS: Final = 80
FRESH_S: Final = 5.0


@dataclass(slots=True)
class Library:
    """Looks through a folder of runs, at most every few seconds.

    Attributes:
        folder: of runs; it need not exist.
    """

    folder: Path
    _seen: tuple[float, dict[str, Any]] | None = None
    _curves: dict[tuple[str, float], list[float]] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Runs, the newest first, and searches, ready for JSON."""
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] > FRESH_S:
            runs, studies = self._look()
            self._seen = now, {"folder": str(self.folder), "runs": runs, "studies": studies}
        return self._seen[1]

    def report(self, name: str) -> Path | None:
        """The report of a run or search by its name in `content`; None for any other name."""
        found = self.content()
        if name not in {one["name"] for one in (*found["runs"], *found["studies"])}:
            return None  # nothing is opened that was not listed: a name cannot climb out of the folder
        path = self.folder / name / REPORT
        return path if path.is_file() else None

    def _look(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        runs, studies = [], []
        for folder in self._folders(self.folder, DEEPEST):
            if (folder / STUDY).is_file() and (study := self._study(folder)):
                studies.append(study)
            elif (folder / RUN).is_file() and (run := self._run(folder)):
                runs.append(run)
        newest = sorted(runs, key=lambda one: (one["started"], one["name"]), reverse=True)
        return newest, sorted(studies, key=lambda one: str(one["name"]))

    def _folders(self, folder: Path, depth: int) -> list[Path]:
        if not folder.is_dir():
            return []
        found = []
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.name.startswith("."):
                is_one = (child / RUN).is_file() or (child / STUDY).is_file()
                found += [child] if is_one or depth == 1 else self._folders(child, depth - 1)
        return found

    def _run(self, folder: Path) -> dict[str, Any] | None:
        record = _read(folder / RUN)
        if record is None:
            return None
        judged = _read(folder / BACKTEST)
        return {
            "name": folder.relative_to(self.folder).as_posix(), "status": record.get("status", ""),
            "seed": record.get("seed"), "folds": record.get("folds"),
            "started": str(record.get("environment", {}).get("started", ""))[:16].replace("T", " "),
            "has_report": (folder / REPORT).is_file(),
            "backtest": None if judged is None else _judged(judged),
            "curve": self._curve(folder) if judged is not None else [],
        }  # fmt: skip

    def _study(self, folder: Path) -> dict[str, Any] | None:
        found = _read(folder / STUDY)
        if found is None or "leaderboard" not in found:
            return None
        overfitting = found.get("overfitting") or {}
        return {
            "name": folder.relative_to(self.folder).as_posix(), "skill": found.get("skill"), "seed": found.get("seed"),
            "counts": found.get("counts", {}), "chosen": found.get("chosen"), "budget": found.get("budget", {}),
            "overfitting": overfitting.get("probability"), "winner": _winner(found.get("winner")),
            "has_report": (folder / REPORT).is_file(),
            "leaders": [
                {
                    "trial": row["trial"], "outcome": row["outcome"], "preset": row.get("preset", ""),
                    "skill": row.get(str(found.get("skill"))), "trades": row.get("trades"),
                    "total_return": row.get("total_return"), "sharpe": row.get("sharpe"),
                    "latency_ms": (row.get("measured") or {}).get("p50_ms"),
                    "parameters": (row.get("measured") or {}).get("parameters"),
                }
                for row in found["leaderboard"][:10]
            ],
        }  # fmt: skip

    def _curve(self, folder: Path) -> list[float]:
        """The equity by its start, thinned to a drawing's points."""
        path = folder / "backtest" / "equity.parquet"
        try:
            key = str(path), path.stat().st_mtime
            if key not in self._curves:
                equity = pl.read_parquet(path, columns=["equity"])["equity"].drop_nulls()
                step = max(1, len(equity) // POINTS)
                thinned = [*equity.gather_every(step).to_list(), *equity.tail(1).to_list()]
                self._curves[key] = [round(one / thinned[0], 5) for one in thinned] if thinned and thinned[0] else []
            return self._curves[key]
        except (OSError, pl.exceptions.PolarsError):
            return []


def _judged(found: dict[str, Any]) -> dict[str, Any]:
    performance, verdict = found.get("performance", {}), found.get("verdict", {})
    strategy, benchmark = performance.get("strategy", {}), performance.get("benchmark", {})
    trades = performance.get("trades", {})
    return {
        "verdict": verdict.get("sentence", ""), "outcome": verdict.get("outcome", ""),
        "total_return": strategy.get("total_return"), "benchmark_return": benchmark.get("total_return"),
        "sharpe": strategy.get("sharpe"),
        "max_drawdown": (strategy.get("drawdown") or {}).get("depth"),
        "trades": trades.get("count"),
        "deflated_sharpe": found.get("luck", {}).get("deflated_sharpe"), "trials": found.get("trials"),
    }  # fmt: skip


def _winner(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """How the chosen candidate did on the part that the search never saw."""
    if not found:
        return None
    verdict = found.get("verdict") or {}
    return {"verdict": verdict.get("sentence", ""), "outcome": verdict.get("outcome", "")}


def _read(path: Path) -> dict[str, Any] | None:
    """What a file says; None where there is none, or one that is being written or damaged: a list shows the others."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
