"""From a trained run to a judged backtest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from triptych.backtest import BacktestResult, run_backtest
from triptych.backtest.held_back import held_back
from triptych.backtest.luck import Interval, assess
from triptych.backtest.statistics import performance
from triptych.backtest.verdict import judge
from triptych.bootstrap.candles import Candles, load_candles
from triptych.bootstrap.feature_detectors import refuse_seen_detector
from triptych.bootstrap.figures import recorded_figures, require_recorded_figures
from triptych.bootstrap.files import BACKTEST_KEYS, EVALUATION_KEYS, read_frame, read_json, write_frame
from triptych.bootstrap.guarding import recorded_watch
from triptych.bootstrap.regime_filters import COLUMNS as REGIME_COLUMNS
from triptych.bootstrap.regime_filters import SINCE, recorded_regimes, require_regimes
from triptych.bootstrap.run_folder import Run, at_work, trial_mark
from triptych.bootstrap.staking import first_base_rates, with_known_stakes
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.trials import LEDGER, ledger_folder, record_trial
from triptych.bootstrap.voting import KEYS, columns_of, predictions_from
from triptych.domain import CLASSES
from triptych.domain.errors import RecipeError, RunError
from triptych.domain.files import write_json, writing_folder
from triptych.inference import load_consensus, open_any_artifact
from triptych.inference.recorded import RecordedPredictor
from triptych.settings import Recipe, load_recipe, members_of
from triptych.strategies import create_strategy
from triptych.strategies.abstaining import why_nothing_was_entered
from triptych.strategies.consensus import Config as ConsensusConfig
from triptych.training.seeds import derive_seed

FRAMES = ("equity", "trades", "fills", "decisions", "guard")
PROBABILITIES = tuple(f"probability_{name}" for name in CLASSES)
TRADING_SECTIONS = ("strategy", "regimes", "sizing", "execution", "risk", "guard", "costs", "backtest")


def backtest(run: Run, *, overrides: Sequence[str] = (), tell: Tell = silent) -> dict[str, Any]:
    """Trade a run's out-of-sample predictions and judge the result.

    Args:
        run: a trained run.
        overrides: `key=value` changes of the trading sections; each new set of them counts as a trial.
        tell: told every stage in words.

    Returns:
        JSON-ready: `performance`, `luck`, `verdict`, `trials` (declared or counted, whichever is more), `counted`,
        `overrides`, `held_back` (why every order that was wanted came to nothing, empty where one was filled).
        Also written to the run's folder.

    Raises RunError when the run is not trained or its data has changed.
    """
    run.require_trained()
    with at_work(run.folder):
        return trade(run, overrides=overrides, tell=tell)


def trade(run: Run, *, overrides: Sequence[str] = (), tell: Tell = silent) -> dict[str, Any]:
    """`backtest` for those who are at work on the run already."""
    recipe = with_known_stakes(with_trading(run, overrides), first_base_rates(run))
    candles = candles_of(run)
    predictions = read_frame(run.folder / "predictions.parquet", ("time", "symbol", "fold", *PROBABILITIES))
    require_regimes(recipe, run.recipe, predictions)
    require_recorded_figures(recipe, predictions)
    tell(f"Replaying {len(predictions)} predictions with costs.")
    consensus = recipe.consensus if recipe.members else None
    result = _replay(recipe, candles, predictions, _recorded(run, predictions), consensus)
    tried, before = record_trial(run.folder, candles.history, trial_mark(with_trading(run, overrides))), _before(run)
    if before > tried:
        tell(
            f"The ledger {ledger_folder(run.folder) / LEDGER} knows of {tried} trials on these candles, the run of "
            f"{before}: one of them was moved. {before} count."
        )
    counted = max(tried, before)
    trials = max(recipe.backtest.luck.trials, counted)
    judged = _judge(run, recipe, result, trials) | {
        "overrides": list(overrides), "trials": trials, "counted": counted,
    }  # fmt: skip
    if consensus is not None:
        judged["members"] = _members(run, recipe, candles, predictions, tell)
    _write(run.folder / "backtest", result, judged)
    return judged


def _before(run: Run) -> int:
    """Trials that the run's training and last backtest knew of: a run that was moved has left its ledger behind."""
    trained = int(run.record.get("counted", 0))
    if not run.has("backtest/backtest.json"):
        return trained
    return max(trained, int(read_json(run.folder / "backtest" / "backtest.json", BACKTEST_KEYS).get("counted", 0)))


def _write(folder: Path, result: BacktestResult, judged: dict[str, Any]) -> None:
    """All files of a backtest or none: frames never stand beside the figures of another one."""
    with writing_folder(folder, "backtest") as temporary:
        for name in FRAMES:
            write_frame(temporary / f"{name}.parquet", getattr(result, name))
        write_json(temporary / "backtest.json", judged)


def candles_of(run: Run) -> Candles:
    """The candles a run was made from. Raises RunError when they are not the same any more, DataError when gone."""
    candles = load_candles(run.recipe)
    if candles.hash != run.record["data_hash"]:
        raise RunError(
            f"The candles of {run.folder} have changed since it was trained.",
            remedy="Bring the old file back, or train again on the new one.",
        )
    return candles


def with_trading(run: Run, overrides: Sequence[str]) -> Recipe:
    """The run's recipe with keys of its trading changed. Raises RecipeError for a key that was part of training."""
    for override in overrides:
        section = override.split("=")[0].split(".")[0].strip()
        if section not in TRADING_SECTIONS:
            raise RecipeError(
                f"--set {override!r} would change what was trained.",
                remedy=f"A backtest may change: {', '.join(TRADING_SECTIONS)}. Train again for anything else.",
            )
    if not overrides:
        return run.recipe
    own = {"features": run.recipe.features, "members": run.recipe.members}  # which name what the run itself carries
    return load_recipe(str(run.folder / "recipe.toml"), overrides).model_copy(update=own)


def _replay(
    recipe: Recipe,
    candles: Candles,
    predictions: pl.DataFrame,
    predictor: RecordedPredictor,
    consensus: ConsensusConfig | None = None,
) -> BacktestResult:
    """The backtest over the whole period of the recorded predictions."""
    times = predictions["time"].cast(pl.Int64)
    start_ms = int(times.min())  # type: ignore[arg-type]
    for one in members_of(recipe).values() or (recipe,):
        refuse_seen_detector(one, candles.timeframe, start_ms)
    return run_backtest(
        candles.series,
        predictor,
        strategy=create_strategy(recipe.strategy, consensus, recipe.regimes),
        sizing=recipe.sizing,
        execution=recipe.execution,
        risk=recipe.risk,
        costs=recipe.costs,
        initial_capital=recipe.backtest.initial_capital,
        start_ms=start_ms,
        end_ms=int(times.max()),  # type: ignore[arg-type]
        name=recipe.name,
        companions=candles.companions,
        guard=recipe.guard,
        watch=recorded_watch(recipe, candles.series, candles.companions, start_ms=start_ms),
    )


def _recorded(run: Run, predictions: pl.DataFrame) -> RecordedPredictor:
    recorded = RecordedPredictor(open_any_artifact(run.artifact).predictor())
    if run.recipe.members:
        names = [member.name for member in run.recipe.members]
        recorded.remember(predictions_from(predictions, read_frame(run.folder / "votes.parquet", KEYS), names))
        return recorded
    for (symbol,), part in predictions.group_by("symbol", maintain_order=True):
        times = part["time"].cast(pl.Int64).to_numpy()
        recorded.add(
            str(symbol), times, part.select(PROBABILITIES).to_numpy(), recorded_regimes(part), recorded_figures(part)
        )
    return recorded


def _members(
    run: Run, recipe: Recipe, candles: Candles, predictions: pl.DataFrame, tell: Tell
) -> dict[str, dict[str, Any]]:
    """What each member alone would have earned over the same period, by the same strategy, sizing, limits and costs."""
    votes = read_frame(run.folder / "votes.parquet", KEYS)
    told = [name for name in (*REGIME_COLUMNS, SINCE) if name in predictions.columns]
    judged = predictions.select(*KEYS, *told).join(votes, on=list(KEYS), how="left", maintain_order="left")
    artifact = load_consensus(run.artifact)
    waits = artifact.joined().length  # whoever is alone trades an instrument that was listed late no earlier
    found = {}
    for name, member in artifact.members.items():
        tell(f"Replaying {name} alone.")
        recorded = RecordedPredictor(artifact.with_regimes(member.predictor()), least=waits)
        for (symbol,), part in judged.group_by("symbol", maintain_order=True):
            times = part["time"].cast(pl.Int64).to_numpy()
            recorded.add(str(symbol), times, part.select(columns_of(name)).to_numpy(), recorded_regimes(part))
        figures = performance(_replay(recipe, candles, judged, recorded)).to_dict()
        ours = figures["strategy"]
        found[name] = {
            "total_return": ours["total_return"],
            "sharpe": ours["sharpe"],
            "maximum_drawdown": ours["drawdown"]["depth"],
            "trades": figures["trades"]["count"],
            "costs": figures["costs"]["total_share"],
        }
    return found


def _judge(run: Run, recipe: Recipe, result: BacktestResult, trials: int) -> dict[str, Any]:
    figures = performance(result)
    luck = assess(
        result,
        recipe.backtest.luck.model_copy(update={"trials": trials}),
        seed=derive_seed(recipe.seed, "luck"),
        minimum_block=recipe.target.horizon,
    )
    mcc = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)["metrics"]["mcc"]
    known = mcc["value"] is not None and mcc["low"] is not None
    skill = Interval(value=mcc["value"], low=mcc["low"], high=mcc["high"]) if known else None
    silence, stopped = _silence(recipe, result.decisions), held_back(result.decisions, result.fills)
    verdict = judge(figures, luck, skill=skill, silence=silence, held_back=stopped)
    return {
        "performance": figures.to_dict(),
        "luck": luck.to_dict(),
        "verdict": verdict.to_dict(),
        "held_back": stopped,
    }


def _silence(recipe: Recipe, decisions: pl.DataFrame) -> str:
    """Why there may be no trade: which condition of the strategy was never met."""
    known = decisions.drop_nulls(PROBABILITIES)
    return why_nothing_was_entered(recipe.strategy, known.select(PROBABILITIES).to_numpy(), known["reason"].to_list())
