"""From a recipe and its variants to one table: what does each part add, out of sample?"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.ablation_page import write_ablation_page
from triptych.bootstrap.backtesting import PROBABILITIES, backtest
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candle_books import lacks_books
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.files import EVALUATION_KEYS, read_frame, read_json
from triptych.bootstrap.learning import train
from triptych.bootstrap.other_markets import lacks_weights
from triptych.bootstrap.pattern_networks import lacks_networks, pinned
from triptych.bootstrap.provenance import fingerprint
from triptych.bootstrap.run_folder import ABLATION, ABLATION_RESULT, RUNS, Run, recipe_hash
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.voting import KEYS, common_tests
from triptych.domain import utc
from triptych.domain.errors import NotEnoughData, RecipeError, RunError
from triptych.domain.files import write_json, write_text
from triptych.settings import Recipe, members_of, variants_of
from triptych.training.comparison import only_said, skill, skill_difference
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed

PAGE = "ablation.html"


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Where the runs of an ablation lie, and its table: one row a variant, the recipe itself first.

    `left_out` says by name of variants that could not be asked why they could not.
    """

    folder: Path
    rows: list[dict[str, Any]]
    left_out: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """Test samples of all folds, symbol and fold of each, and a run's probabilities for them, shape (n_samples, 3)."""

    samples: Samples
    symbols: NDArray[np.str_]
    folds: NDArray[np.int64]
    said: NDArray[np.float64]
    learned: list[int]

    def keys(self) -> list[tuple[str, int]]:
        return list(zip(self.symbols.tolist(), self.samples.time_ms.tolist(), strict=True))

    def at(self, keys: list[tuple[str, int]]) -> tuple[Samples, NDArray[np.float64], NDArray[np.int64]]:
        """The samples with these keys in their order, what was said of them, and the fold of each."""
        place = {key: i for i, key in enumerate(self.keys())}
        rows = np.array([place[key] for key in keys], dtype=np.int64)
        return self.samples.at(rows), self.said[rows], self.folds[rows]


def ablate(recipe: Recipe, *, folder: Path | None = None, only: Collection[str] = (), tell: Tell = silent) -> Ablation:
    """Train and backtest a recipe and each of its variants, and hold every variant against the recipe.

    All variants learn from windows that end when the latest of them has its first one or later, and their skill is that
    on the test windows that all of them have. All are trained before the first backtest is judged, so that each is
    deflated by the number of all. What is complete is not done twice: a stopped ablation goes on where it was.

    Args:
        recipe: with `ablation` naming at least one variant.
        folder: of the runs, one in it for each variant; by default runs/NAME-ablation-FINGERPRINT.
        only: names of variants; the others are neither trained nor judged. Empty: all. What they learn from does not
            depend on it, so the rest may be asked later in the same folder.
        tell: told every stage in words.

    Returns:
        Rows with `variant`, `changes`, `run`, `learned` (windows to learn from, by fold), `tested` (test windows that
        all variants have), `own_tested` (those of the variant alone), `mcc` (value, low, high; taken within each fold
        and averaged), `only_class` (the class that it said for every window, or `buy or hold` where it said one in each
        fold: no skill whatever comes; else null), `difference` (to the recipe, paired on these windows, with its
        interval), `comparable`, `reason` (why not), `best_baseline`, `total_return`, `deflated_sharpe`, `trades`,
        `verdict`. A variant that changes the labels, or shares no test window with the recipe, is not comparable: it
        has no difference, its skill is that on its own windows, and what the others share does not depend on it. Also
        written to the folder, as ablation.json and ablation.html.

    A variant that reads order books or networks of patterns, or begins with weights of other markets, where none are
    named is left out, and that is told: the same recipe then serves with and without them.

    Raises RecipeError when there is nothing to compare, and whatever training raises.
    """
    home = folder or RUNS / f"{recipe.name}-ablation-{fingerprint(recipe_hash(recipe.to_toml()))[:8]}"
    places = {name: home / f"{number}-{_slug(name)}" for number, name in enumerate(variants_of(recipe))}
    recipes, left_out = _asked(recipe, only, tell)
    write_text(home / ABLATION, recipe.to_toml())  # before the first run: it says whose ledger counts them
    runs = {}
    for number, (name, variant) in enumerate(recipes.items()):
        tell(f"Variant {number + 1} of {len(recipes)}: {name}.")
        runs[name] = train(variant, folder=places[name], tell=tell, progress_bar=False)
    judged = {name: backtest(run, tell=tell) for name, run in runs.items()}
    asked = {name: _answers(run) for name, run in runs.items()}
    changes = {variant.name: dict(variant.changes) for variant in recipe.ablation}
    rows = [
        {
            "variant": name,
            "changes": changes.get(name, {}),
            "run": runs[name].folder.name,
            **compared,
            **_figures(runs[name], judged[name]),
        }
        for name, compared in _compared(recipe, asked).items()
    ]
    write_json(home / ABLATION_RESULT, {"recipe": recipe.name, "seed": recipe.seed, "rows": rows, "left_out": left_out})
    write_ablation_page(home / PAGE, recipe.name, recipe.seed, rows)
    return Ablation(folder=home, rows=rows, left_out=left_out)


def _asked(recipe: Recipe, only: Collection[str], tell: Tell) -> tuple[dict[str, Recipe], dict[str, str]]:
    """The recipe and the variants that are asked, by name, and why others could not be. Raises RecipeError for none."""
    recipes = variants_of(recipe)
    first, *variants = recipes
    if not variants:
        raise RecipeError(
            f"{first} names no variants.", remedy="Add a table to the recipe: [[ablation]] with name and changes."
        )
    for name in only:
        if name not in variants:
            raise RecipeError(f"{first} has no variant {name!r}.", remedy=f"Its variants: {', '.join(variants)}.")
    lacking = {name: lacks_books(one) or lacks_weights(one) or lacks_networks(one) for name, one in recipes.items()}
    left_out = {name: why for name, why in lacking.items() if why and (not only or name in (first, *only))}
    if first in left_out or all(lacking[name] for name in only or variants):
        raise RecipeError(
            f"There is nothing to compare: {' '.join(left_out.values())}",
            remedy="Name the recordings of order books beside the candles in data.books.path, the weights in "
            "model.other_markets.path, the networks in features.pattern_networks.folders.",
        )
    for name, why in left_out.items():
        tell(f"{name} is left out: {why}")
    wanted = {name: pinned(one) for name, one in recipes.items() if not lacking[name]}
    return _from_one_time_on(wanted, tell, only=(first, *only) if only else ()), left_out


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "variant"


def _from_one_time_on(recipes: Mapping[str, Recipe], tell: Tell, *, only: Collection[str] = ()) -> dict[str, Recipe]:
    """The recipes, those whose windows are known earlier held back to the first window of the latest.

    A companion that was listed late, a longer window or warm-up must not look better or worse by what it has to learn
    from. The members of a consensus have windows of their own: where all variants have the same members, these learn
    from the same in each and are left as they are; else every member of every variant is held back. `only` names those
    that are asked now and returned; empty: all. Another one that the history is too short for holds nobody back.
    """
    found = {name: recipe for name, recipe in recipes.items() if not only or name in only}
    seen: dict[str, int] = {}
    firsts: dict[str, dict[str, int]] = {}
    for name, recipe in recipes.items():
        try:
            firsts[name] = _first_windows(recipe, seen)
        except NotEnoughData:
            if name in found:
                raise
    if all(one == next(iter(firsts.values())) for one in firsts.values()):
        return found
    latest = max(max(one.values()) for one in firsts.values())
    for name, recipe in found.items():
        first = min(firsts[name].values())
        if first < latest:
            tell(f"{name} could learn from {utc(first)} on, and does from {utc(latest)}, as the others.")
            split = recipe.split.model_copy(update={"samples_from": utc(latest)})
            found[name] = recipe.model_copy(update={"split": split})
    return found


def _first_windows(recipe: Recipe, seen: dict[str, int]) -> dict[str, int]:
    """When the first window ends that a network learns from, UTC ms, by member; of one model alone by no name.

    `seen` holds by recipe what was found before: variants of a consensus have most members in common.
    """
    found = {}
    for name, one in (members_of(recipe) or {"": recipe}).items():
        mark = one.to_toml()
        if mark not in seen:
            dataset = Dataset.of(one, load_candles(one))
            seen[mark] = min(int(dataset.samples(fold.train).time_ms.min()) for fold in dataset.folds)
        found[name] = seen[mark]
    return found


def _compared(recipe: Recipe, asked: Mapping[str, _Answers]) -> dict[str, dict[str, Any]]:
    """What each variant is worth beside the recipe, by name; the recipe first."""
    first, *_ = asked
    reasons = {name: "" if name == first else _reason(asked[name], asked[first]) for name in asked}
    common = set(asked[first].keys())
    for name, answers in asked.items():
        if not reasons[name]:
            common &= set(answers.keys())
    keys = [key for key in asked[first].keys() if key in common]  # noqa: SIM118 - a method of ours, no mapping
    seed = derive_seed(recipe.seed, "ablation")
    _, said_first, folds_first = asked[first].at(keys)
    rows = {}
    for name, answers in asked.items():
        samples, said, folds = answers.at(answers.keys() if reasons[name] else keys)
        if not reasons[name]:  # both are scored within the recipe's folds, whose bounds a variant may move a little
            folds = folds_first
        row: dict[str, Any] = {
            "learned": answers.learned,
            "tested": len(samples),
            "own_tested": len(answers.samples),
            "comparable": not reasons[name],
            "reason": reasons[name],
            "mcc": skill(said, samples, recipe.evaluation, seed, folds=folds),
            "only_class": only_said(said.argmax(axis=1).tolist(), folds.tolist()) or None,
        }
        if name != first and reasons[name]:
            row["difference"] = {"value": None, "low": None, "high": None, "n": 0, "reason": reasons[name]}
        elif name != first:
            found = skill_difference(said, said_first, samples, recipe.evaluation, seed, folds=folds)
            row["difference"] = {**found, "n": len(keys)}
        rows[name] = row
    return rows


def _reason(ours: _Answers, theirs: _Answers) -> str:
    """Why a variant cannot be compared; empty when it can."""
    mine = dict(zip(ours.keys(), ours.samples.label.tolist(), strict=True))
    other = dict(zip(theirs.keys(), theirs.samples.label.tolist(), strict=True))
    common = [key for key in mine if key in other]
    if not common:
        return "It shares no test window with the recipe."
    differing = sum(mine[key] != other[key] for key in common)
    if differing:
        return f"Its labels are others: {differing:,} of {len(common):,} common test windows."
    return ""


def _figures(run: Run, judged: dict[str, Any]) -> dict[str, Any]:
    evaluation = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
    best = evaluation["comparison"]["best_baseline"]
    return {
        "best_baseline": {"name": best, "mcc": evaluation["baselines"][best]["mcc"]["value"]},
        "effective_n": evaluation["effective_n"],
        "total_return": judged["performance"]["strategy"]["total_return"],
        "benchmark_return": judged["performance"]["benchmark"]["total_return"],
        "deflated_sharpe": judged["luck"]["deflated_sharpe"],
        "trades": judged["performance"]["trades"]["count"],
        "trials": judged["trials"],
        "verdict": judged["verdict"]["sentence"],
    }


def _answers(run: Run) -> _Answers:
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
    return _Answers(
        samples=samples,
        symbols=wanted["symbol"].to_numpy()[kept],
        folds=found["fold"].to_numpy()[kept].astype(np.int64),
        said=said[kept],
        learned=[len(datasets[0].samples(fold.train)) for fold in datasets[0].folds],
    )
