"""A run: one folder that records everything needed to repeat it bit for bit.

recipe.toml          the complete recipe, every default written out
run.json             fingerprint, data hash, versions, machine, status
quality.json         what the quality check found in the data
folds/N/training/    checkpoint, history and best weights of fold N
folds/N/artifact/    the model of fold N
predictions.parquet  out-of-sample probabilities and labels of all folds
evaluation.json      metrics, intervals, baselines
backtest/            equity, trades, fills and decisions (Parquet) and backtest.json
leak_probe.json      what the leak probe found
report.html, report.json
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triptych.bootstrap.files import read_json
from triptych.bootstrap.provenance import fingerprint, machine, versions
from triptych.domain.errors import RunError
from triptych.domain.files import write_json, write_text
from triptych.settings import Recipe, load_recipe

RUNS = Path("runs")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder that exists."""

    folder: Path
    recipe: Recipe

    @property
    def record(self) -> dict[str, Any]:
        """Content of run.json."""
        record: dict[str, Any] = read_json(self.folder / "run.json")
        return record

    def update(self, **changes: Any) -> None:
        """Change entries of run.json."""
        write_json(self.folder / "run.json", {**self.record, **changes})

    def fold(self, number: int) -> Path:
        """Folder of one fold."""
        return self.folder / "folds" / str(number)

    @property
    def artifact(self) -> Path:
        """Folder of the newest model: that of the last fold."""
        return self.fold(int(self.record["folds"]) - 1) / "artifact"

    def has(self, name: str) -> bool:
        """Whether a file of the run is there."""
        return (self.folder / name).exists()

    def require_trained(self) -> None:
        """Raise RunError unless training is complete."""
        if self.record["status"] != "trained":
            raise RunError(
                f"The run {self.folder} is not trained to its end.",
                remedy="Repeat the same `triptych train` command: it resumes where it was stopped.",
            )


def run_fingerprint(recipe: Recipe, data_hash: str) -> str:
    """What makes two runs the same: recipe, candles, versions. Where the candles lay does not matter."""
    content = recipe.model_dump(mode="json")
    content["data"]["path"] = None
    return fingerprint(content, data_hash, versions())


def open_or_create(recipe: Recipe, data_hash: str, folder: Path | None, *, fresh: bool = False) -> Run:
    """The run folder of this recipe on this data; by default runs/NAME-FINGERPRINT. `fresh` empties it first.

    Raises RunError when the folder holds another run.
    """
    mark = run_fingerprint(recipe, data_hash)
    folder = folder or RUNS / f"{recipe.name}-{mark[:8]}"
    run = Run(folder=folder, recipe=recipe)
    if fresh and (folder / "run.json").exists():
        shutil.rmtree(folder)
    if (folder / "run.json").exists():
        if run.record["fingerprint"] != mark:
            raise RunError(
                f"{folder} holds another run (other recipe, data or versions).",
                remedy="Choose another --out, or --fresh to replace it.",
            )
        return run
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty and holds no run.", remedy="Choose another --out.")
    write_text(folder / "recipe.toml", recipe.to_toml())
    write_json(
        folder / "run.json",
        {
            "fingerprint": mark,
            "data_hash": data_hash,
            "seed": recipe.seed,
            "status": "new",
            "versions": versions(),
            "environment": {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()},
        },
    )
    return run


def open_run(folder: Path) -> Run:
    """Open an existing run. Raises RunError when there is none."""
    if not (folder / "run.json").exists():
        known = sorted(str(p.parent) for p in RUNS.glob("*/run.json")) if RUNS.is_dir() else []
        raise RunError(
            f"{folder} holds no run.",
            remedy=f"Known runs: {', '.join(known)}." if known else "Make one with `triptych train RECIPE`.",
        )
    return Run(folder=folder, recipe=load_recipe(str(folder / "recipe.toml")))


def record_trial(runs: Path, data_hash: str, mark: str) -> int:
    """Which attempt on this data this is, counted from 1: luck is deflated by it.

    Every recipe tried on the same candles in the same folder of runs counts once; repeating a recipe does not.
    """
    ledger = runs / "trials.json"
    trials: dict[str, list[str]] = json.loads(ledger.read_text()) if ledger.exists() else {}
    marks = trials.setdefault(data_hash, [])
    if mark not in marks:
        marks.append(mark)
        write_json(ledger, trials)
    return marks.index(mark) + 1
