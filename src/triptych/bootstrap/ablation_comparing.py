"""What each variant of an ablation is worth beside the recipe: skill, its difference, and the difference of return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.backtest.difference import (
    EquityCurve,
    as_points,
    growth_in_common,
    resampled_sums,
    return_difference,
)
from triptych.backtest.luck import LEVEL
from triptych.bootstrap.backtesting import PROBABILITIES
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.files import BACKTEST_KEYS, read_frame, read_json
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.voting import KEYS, common_tests
from triptych.domain.errors import RunError
from triptych.settings import Recipe, members_of
from triptych.training.comparison import only_said, skill, skill_difference, skill_over_seeds
from triptych.training.samples import Samples
from triptych.training.seed_noise import Sampled, over_seeds
from triptych.training.seeds import derive_seed

SAME_PREDICTIONS = "Its predictions are those of the recipe."
SAME_EQUITY = "Its equity is that of the recipe at every close."


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Test samples of all folds, symbol and fold of each, and a run's probabilities for them, shape (n_samples, 3)."""

    samples: Samples
    symbols: NDArray[np.str_]
    folds: NDArray[np.int64]
    said: NDArray[np.float64]
    learned: list[int]

    def keys(self) -> list[tuple[str, int]]:
        """Symbol and time of each sample."""
        return list(zip(self.symbols.tolist(), self.samples.time_ms.tolist(), strict=True))

    def at(self, keys: list[tuple[str, int]]) -> tuple[Samples, NDArray[np.float64], NDArray[np.int64]]:
        """The samples with these keys in their order, what was said of them, and the fold of each."""
        place = {key: i for i, key in enumerate(self.keys())}
        rows = np.array([place[key] for key in keys], dtype=np.int64)
        return self.samples.at(rows), self.said[rows], self.folds[rows]


def answers_of(run: Run) -> Answers:
    """What a run said of its test samples. Raises RunError where it lacks predictions for them."""
    candles = load_candles(run.recipe)
    datasets = [Dataset.of(one, candles) for one in members_of(run.recipe).values() or (run.recipe,)]
    predictions = read_frame(run.folder / "predictions.parquet", ("time", "symbol", "fold", *PROBABILITIES))
    samples, wanted = common_tests(datasets)
    found = wanted.join(predictions, on=list(KEYS), how="left", maintain_order="left")
    said = found.select(PROBABILITIES).to_numpy()
    there = np.isfinite(said).all(axis=1)
    if not run.recipe.members and not there.all():
        raise RunError("A run lacks predictions for its own test samples.", remedy="Train it again with --fresh.")
    kept = np.flatnonzero(there)  # a consensus is judged where every member is, after what it was fitted on
    samples = samples.at(kept)
    return Answers(
        samples=samples,
        symbols=wanted["symbol"].to_numpy()[kept],
        folds=found["fold"].to_numpy()[kept].astype(np.int64),
        said=said[kept],
        learned=[len(datasets[0].samples(fold.train)) for fold in datasets[0].folds],
    )


def compared(recipe: Recipe, asked: Mapping[str, Sequence[Answers]]) -> dict[str, dict[str, Any]]:
    """What each variant foretells beside the recipe, by name; the recipe first.

    Args:
        recipe: that the others are variants of.
        asked: by name the answers for each seed, as many for all, the recipe's first. Of one seed the intervals hold
            the sampling of test windows only, of several the noise of training too.
    """
    first, *_ = asked
    reasons = {name: "" if name == first else _reasons(answers, asked[first]) for name, answers in asked.items()}
    keys = _shared([one for name, answers in asked.items() if not reasons[name] for one in answers])
    seed = derive_seed(recipe.seed, "ablation")
    said_first = [one.at(keys)[1] for one in asked[first]]
    folds_first = asked[first][0].at(keys)[2]
    rows = {}
    for name, answers in asked.items():
        mine = _shared(answers) if reasons[name] else keys
        samples, _, folds = answers[0].at(mine)
        if not reasons[name]:  # both are scored within the recipe's folds, whose bounds a variant may move a little
            folds = folds_first
        said = [one.at(mine)[1] for one in answers]
        only = [only_said(one.argmax(axis=1).tolist(), folds.tolist()) for one in said]
        row: dict[str, Any] = {
            "learned": answers[0].learned,
            "tested": len(samples),
            "own_tested": len(answers[0].samples),
            "comparable": not reasons[name],
            "reason": reasons[name],
            "mcc": skill(said[0], samples, recipe.evaluation, seed, folds=folds)
            if len(said) == 1
            else skill_over_seeds(said, samples, recipe.evaluation, seed, folds=folds),
            "only_class": " / ".join(dict.fromkeys(only)) if all(only) else None,
        }
        if name != first:
            row["difference"] = (
                {"value": None, "low": None, "high": None, "n": 0, "reason": reasons[name]}
                if reasons[name]
                else _difference(recipe, said, said_first, samples, folds)
            )
        rows[name] = row
    return rows


def _difference(
    recipe: Recipe,
    said: Sequence[NDArray[np.float64]],
    theirs: Sequence[NDArray[np.float64]],
    samples: Samples,
    folds: NDArray[np.int64],
) -> dict[str, Any]:
    """The skill of a variant less the recipe's; no interval where both said the very same."""
    if all(np.array_equal(a, b) for a, b in zip(said, theirs, strict=True)):
        return {"value": 0.0, "low": None, "high": None, "n": len(samples), "reason": SAME_PREDICTIONS}
    seed = derive_seed(recipe.seed, "ablation")
    if len(said) == 1:
        found = skill_difference(said[0], theirs[0], samples, recipe.evaluation, seed, folds=folds)
    else:
        found = skill_over_seeds(said, samples, recipe.evaluation, seed, theirs=theirs, folds=folds)
    return {**found, "n": len(samples)}


def _shared(answers: Sequence[Answers]) -> list[tuple[str, int]]:
    """The windows that all were tested on, in the order of the first."""
    first, *others = answers
    common = set(first.keys()).intersection(*(one.keys() for one in others))
    return [key for key in first.keys() if key in common]  # noqa: SIM118 - a method of ours, no mapping


def _reasons(ours: Sequence[Answers], theirs: Sequence[Answers]) -> str:
    """Why a variant cannot be compared, by the first seed that says so; empty when it can."""
    return next(filter(None, (_reason(a, b) for a, b in zip(ours, theirs, strict=True))), "")


def _reason(ours: Answers, theirs: Answers) -> str:
    mine = dict(zip(ours.keys(), ours.samples.label.tolist(), strict=True))
    other = dict(zip(theirs.keys(), theirs.samples.label.tolist(), strict=True))
    common = [key for key in mine if key in other]
    if not common:
        return "It shares no test window with the recipe."
    differing = sum(mine[key] != other[key] for key in common)
    if differing:
        return f"Its labels are others: {differing:,} of {len(common):,} common test windows."
    return ""


def curve_of(run: Run) -> EquityCurve:
    """The equity of a run's backtest at each close. Raises RunError where the backtest is missing or damaged."""
    frame = read_frame(run.folder / "backtest" / "equity.parquet", ("time", "equity"))
    judged = read_json(run.folder / "backtest" / "backtest.json", BACKTEST_KEYS)
    return EquityCurve(
        time_ms=frame["time"].dt.epoch("ms").to_numpy().astype(np.int64),
        equity=frame["equity"].to_numpy().astype(np.float64),
        initial_capital=float(judged["performance"]["initial_capital"]),
    )


def returns_compared(recipe: Recipe, ours: Sequence[EquityCurve], theirs: Sequence[EquityCurve]) -> dict[str, Any]:
    """What a variant earned more than the recipe over the closes that both have, with a 95 % interval.

    Args:
        recipe: that the variant is held against.
        ours, theirs: of the variant and of the recipe, by seed. Of several seeds the returns are those of the mean
            growth (geometric means), and the interval holds the noise of training too.

    Returns:
        JSON-ready: `value`, `low`, `high` (fractions of the capital), `n` (closes), `reason` (why there is no value, or
        no interval); `ours`, `theirs` (what each earned over these closes); of several seeds `by_seed`, `lowest`,
        `highest`.
    """
    growth = growth_in_common([*ours, *theirs])
    if growth is None:
        return {"value": None, "low": None, "high": None, "n": 0, "reason": "The backtests have no time in common."}
    mine, other = growth[: len(ours)], growth[len(ours) :]
    how = {
        "minimum_block": recipe.target.horizon,
        "replicates": recipe.backtest.luck.replicates,
        "seed": derive_seed(recipe.seed, "ablation"),
    }
    if all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True)):
        level = float(np.expm1(np.mean([one.sum() for one in mine])))
        same = {"value": 0.0, "low": None, "high": None, "reason": SAME_EQUITY}
        return {**same, "n": len(mine[0]), "ours": level, "theirs": level}
    if len(mine) == 1:
        found = asdict(return_difference(mine[0], other[0], **how))
        kept = {name: found[name] for name in ("value", "low", "high", "ours", "theirs")}
        return {**kept, "n": found["candles"], "reason": ""}
    return _over_seeds(mine, other, how)


def _over_seeds(
    mine: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]], how: Mapping[str, int]
) -> dict[str, Any]:
    """`returns_compared` of several seeds: growth by close, one array a seed."""
    relative = [float((a - b).sum()) for a, b in zip(mine, other, strict=True)]
    n, level = len(mine[0]), float(np.mean([one.sum() for one in other]))
    sums, block = resampled_sums(np.mean(mine, axis=0) - np.mean(other, axis=0), **how)
    blocks = max(n / block, 2.0)
    sampled = Sampled(error=float(np.std(sums)) * (blocks / (blocks - 1.0)) ** 0.5, degrees=blocks - 1.0)
    found = over_seeds(relative, sampled, LEVEL)
    by_seed = [as_points(one, float(b.sum())) for one, b in zip(relative, other, strict=True)]
    return {
        "value": as_points(found.value, level),
        "low": as_points(found.low, level),
        "high": as_points(found.high, level),
        "n": n,
        "reason": "",
        "ours": float(np.expm1(level + found.value)),
        "theirs": float(np.expm1(level)),
        "by_seed": by_seed,
        "lowest": min(by_seed),
        "highest": max(by_seed),
    }
