"""From a run to its report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from triptych.backtest.report import (
    ReportData,
    SampleImage,
    candle_frame,
    write_report,
    write_report_json,
)
from triptych.bootstrap.backtesting import candles_of, trade, with_trading
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.explained_for_report import explained_for_report
from triptych.bootstrap.files import (
    BACKTEST_KEYS,
    CONSENSUS_KEYS,
    EVALUATION_KEYS,
    LEAK_PROBE_KEYS,
    read_frame,
    read_json,
)
from triptych.bootstrap.leaks import leak_probe
from triptych.bootstrap.run_folder import Run, at_work
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.voting import recipe_of_labels
from triptych.domain import CLASSES, utc
from triptych.domain.files import write_json
from triptych.inference import load_artifact, open_any_artifact
from triptych.settings import Recipe
from triptych.training.fitted import read_result

SAMPLES = 12
"""Images shown."""
LAST_DECISIONS = 20
"""Decisions of a consensus shown with their votes."""
PROBED = 4
"""Instruments that the leak probe looks at: all are drawn, labelled and traded by the same code."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """Where a report is and what it says."""

    html: Path
    json: Path
    verdict: dict[str, Any]


def report(run: Run, *, tell: Tell = silent) -> Written:
    """Write report.html and report.json; backtest and leak probe run first where they have not yet.

    Raises RunError when the run is not trained or its data has changed.
    """
    run.require_trained()
    with at_work(run.folder):
        if not run.has("backtest/backtest.json"):
            trade(run, tell=tell)
        if not run.has("leak_probe.json"):
            write_json(run.folder / "leak_probe.json", leak_probe(run.recipe, instruments=PROBED, tell=tell))
        tell("Writing the report.")
        data = gather(run)
        html, twin = run.folder / "report.html", run.folder / "report.json"
        write_report(data, html)
        write_report_json(data, twin)
    return Written(html=html, json=twin, verdict=dict(data.verdict or {}))


def gather(run: Run) -> ReportData:
    """Everything the report shows, read from the run's folder."""
    candles = candles_of(run)
    dataset = Dataset.of(recipe_of_labels(run.recipe), candles)
    judged = read_json(run.folder / "backtest" / "backtest.json", BACKTEST_KEYS)
    traded = with_trading(run, judged["overrides"])
    explained = explained_for_report(run, dataset, candles)
    record = run.record
    frames = {name: read_frame(run.folder / "backtest" / f"{name}.parquet") for name in ("equity", "trades", "guard")}
    start = frames["equity"]["time"].min()
    return ReportData(
        title=run.recipe.name,
        description=" ".join((_description(run, candles), *regime_notes(run))),
        verdict=judged["verdict"],
        performance=judged["performance"],
        luck=judged["luck"],
        equity=frames["equity"],
        trades=frames["trades"],
        guard=frames["guard"],
        initial_capital=traded.backtest.initial_capital,
        candles={one.symbol: candle_frame(one).filter(pl.col("time") >= start) for one in candles.series},
        boundaries=[{"time_ms": f.test.start_ms, "label": f"test {f.number + 1}"} for f in dataset.folds[1:]],
        evaluation=read_json(run.folder / "evaluation.json", EVALUATION_KEYS),
        training_curves=_curves(run, dataset),
        samples=() if run.recipe.members else _samples(run, dataset),
        explanations=explained.images,
        explained_votes=explained.votes,
        consensus=_consensus(run, judged) if run.recipe.members else None,
        data_quality=read_json(run.folder / "quality.json", ("instruments",))["instruments"],
        leak_probe=_leaks(run),
        recipe=_without_path(traded).to_toml(),
        provenance={
            "seed": record["seed"],
            "data_hash": record["data_hash"],
            "fingerprint": record["fingerprint"],
            "splits": record["splits"],
            "trials": judged["trials"],
            "overrides": judged["overrides"],
            "versions": record["versions"],
        },
        environment={**record["environment"], "folder": str(run.folder.absolute()), "data": run.recipe.data.path},
    )


def _consensus(run: Run, judged: dict[str, Any]) -> dict[str, Any]:
    """What the report shows of a consensus: its judgement, each member's backtest, and the last decisions."""
    decisions = read_frame(run.folder / "backtest" / "decisions.parquet")
    last = decisions.filter(pl.col("target") != 0).tail(LAST_DECISIONS)
    rows = [
        {
            "time": utc(time_ms),
            "symbol": symbol,
            "target": target,
            "reason": reason,
        }
        for time_ms, symbol, target, reason in zip(
            last["time"].cast(pl.Int64), last["symbol"], last["target"], last["reason"], strict=True
        )
    ]
    return {
        **read_json(run.folder / "consensus_report.json", CONSENSUS_KEYS),
        "alone": judged.get("members", {}),
        "decisions": rows,
    }


def _without_path(recipe: Recipe) -> Recipe:
    """Where the candles lie is no part of the result: it stands under `environment`."""
    path = recipe.data.path and Path(recipe.data.path).name
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": path})})


def _leaks(run: Run) -> dict[str, Any]:
    """The leak probe, and beside it the leak meter of the evaluation."""
    meter = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)["leak_meter"]
    probe: dict[str, Any] = read_json(run.folder / "leak_probe.json", LEAK_PROBE_KEYS)
    splits = [
        {"split": "purged and embargoed, as here", "MCC of a model that only remembers": meter["purged_mcc"]},
        {"split": "shuffled, as it should not be", "MCC of a model that only remembers": meter["shuffled_mcc"]},
    ]
    return {**probe, "sentence": f"{probe['sentence']} {meter['sentence']}", "leak_meter": splits}


def _description(run: Run, candles: Candles) -> str:
    recipe = run.recipe
    if recipe.members:
        first, last = candles.period
        return (
            f"Consensus by {recipe.consensus.method} of {', '.join(member.name for member in recipe.members)}; "
            f"{', '.join(one.symbol for one in candles.series)} {candles.timeframe}, {first} to {last} UTC."
        )
    names = ", ".join(one.symbol for one in candles.series)
    first, last = candles.period
    return (
        f"{recipe.model.name} on {recipe.encoding.name} images of {recipe.window.length} candles; {names} "
        f"{candles.timeframe}, {first} to {last} UTC."
    )


def regime_notes(run: Run) -> tuple[str, ...]:
    """What one must know of the regimes that the newest model tells; nothing where it tells none."""
    if not run.recipe.regimes.use:
        return ()
    told = open_any_artifact(run.artifact).regimes()
    return () if told is None else told.notes()


def _curves(run: Run, dataset: Dataset) -> list[dict[str, Any]]:
    """One row per epoch of every fold."""
    homes = [(run, "")]
    if run.recipe.members:
        members = run.folder / "members"
        homes = [(Run(folder=members / m.name, recipe=run.recipe), f"{m.name} ") for m in run.recipe.members]
    rows: list[dict[str, Any]] = []
    for home, name in homes:
        for fold in dataset.folds:
            result = read_result(home.fold(fold.number) / "training")
            label = f"{name}{fold.number + 1}" if name else fold.number + 1
            rows += [{"fold": label, **asdict(record)} for record in (result.history if result else ())]
    return rows


def _samples(run: Run, dataset: Dataset) -> list[SampleImage]:
    """Images of the last fold's test, evenly spread over time, with label and prediction."""
    fold = dataset.folds[-1]
    samples = dataset.samples(fold.test)
    chosen = np.linspace(0, len(samples) - 1, min(SAMPLES, len(samples))).astype(np.int64)
    windows = dataset.windows(fold.test).gather(torch.from_numpy(chosen)).windows
    artifact = load_artifact(run.artifact)
    with torch.inference_mode():
        images = artifact.classifier().images(windows).numpy()
    probabilities = artifact.predictor().probabilities(windows.numpy())
    return [
        SampleImage(
            image=image,
            label=CLASSES[int(samples.label[i])],
            prediction=CLASSES[int(row.argmax())],
            probability=float(row.max()),
            caption=f"{dataset.series[int(samples.instrument[i])].symbol} {utc(int(samples.time_ms[i]))}",
        )
        for i, image, row in zip(chosen, images, probabilities, strict=True)
    ]
