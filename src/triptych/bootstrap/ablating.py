"""From a recipe and its variants to one table: what does each part add, out of sample?"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.backtest.difference import EquityCurve
from triptych.bootstrap.ablation_comparing import Answers, answers_of, compared, curve_of, returns_compared
from triptych.bootstrap.ablation_page import write_ablation_page
from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candle_books import lacks_books
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.files import EVALUATION_KEYS, read_json
from triptych.bootstrap.learning import is_trained, refuse_untrainable_in, train
from triptych.bootstrap.other_markets import lacks_weights
from triptych.bootstrap.pattern_networks import lacks_networks, pinned
from triptych.bootstrap.provenance import fingerprint
from triptych.bootstrap.run_folder import ABLATION, ABLATION_RESULT, RECORD, RUNS, Run, recipe_hash
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import utc
from triptych.domain.errors import NotEnoughData, RecipeError, RunError
from triptych.domain.files import write_json, write_text
from triptych.settings import Recipe, members_of, variants_of

PAGE = "ablation.html"


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Where the runs of an ablation lie, and its table: one row a variant, the recipe itself first.

    `left_out` says by name of variants that could not be asked why they could not; `seeds` those that every variant
    was trained by.
    """

    folder: Path
    seeds: list[int]
    rows: list[dict[str, Any]]
    left_out: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An ablation before anything of it is written: what is asked, what stays, and what was left out.

    `variants` are the recipes that will have a run, by name, held back to a common first window; `asked` names those
    that are trained, the others are complete in `places`. `notes` are to be told.
    """

    recipe: Recipe
    home: Path
    variants: dict[str, Recipe]
    places: dict[str, Path]
    asked: list[str]
    left_out: dict[str, str]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """An ablation before its backtests: its recipe, its folder, the runs by variant, and what was left out."""

    recipe: Recipe
    home: Path
    runs: dict[str, Run]
    left_out: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An ablation with what it was judged by, by variant."""

    ablation: Ablation
    answers: dict[str, Answers]
    curves: dict[str, EquityCurve]


def ablate(recipe: Recipe, *, folder: Path | None = None, only: Collection[str] = (), tell: Tell = silent) -> Ablation:
    """Train and backtest a recipe and each of its variants, and hold every variant against the recipe.

    All variants learn from windows that end when the latest of them has its first one or later, and their skill is that
    on the test windows that all of them have. All are trained before the first backtest is judged, so that each is
    deflated by the number of all. What is complete is not done twice: a stopped ablation goes on where it was.

    Args:
        recipe: with `ablation` naming at least one variant.
        folder: of the runs, one in it for each variant; by default runs/NAME-ablation-FINGERPRINT.
        only: names of variants; no other is trained. Those whose runs are complete in the folder stay in the table.
            Empty: all. What they learn from does not depend on it, so the rest may be asked later in the same folder.
        tell: told every stage in words.

    Returns:
        Rows with `variant`, `changes`, `run`, `learned` (windows to learn from, by fold), `tested` (test windows that
        all variants have), `own_tested` (those of the variant alone), `mcc` (value, low, high; taken within each fold
        and averaged), `only_class` (the class that it said for every window, or `buy or hold` where it said one in each
        fold: no skill whatever comes; else null), `difference` (to the recipe, paired on these windows, with its
        interval; none where the predictions are the very same, which its `reason` says), `comparable`, `reason` (why
        not), `best_baseline`, `total_return`, `return_difference` (to the recipe, see `returns_compared`),
        `deflated_sharpe`, `trades`, `verdict`. The intervals hold what the sampling of test windows and candles does,
        not what training with another seed would: see `ablate_over_seeds`. A variant that changes the labels, or shares
        no test window with the recipe, is not comparable: it has no difference of skill, its skill is that on its own
        windows, and what the others share does not depend on it; its return is held against the recipe's over the time
        that both backtests have. Also written to the folder, as ablation.json and ablation.html.

    A variant that reads order books or networks of patterns, or begins with weights of other markets, where none are
    named is left out, and that is told: the same recipe then serves with and without them.

    Raises RecipeError when there is nothing to compare, RunError for a folder that holds an ablation over seeds or
    other runs, before anything is written, and whatever training raises.
    """
    home = folder or home_of(recipe)
    if any(home.glob(f"seed-*/{ABLATION}")):
        raise RunError(
            f"{home} holds an ablation over seeds.", remedy="Go on with it by --seeds, or choose another --out."
        )
    return judge_variants(train_variants(plan_variants(recipe, home, only), tell), tell).ablation


def home_of(recipe: Recipe) -> Path:
    """Where an ablation lies when nobody says otherwise: runs/NAME-ablation-FINGERPRINT."""
    return RUNS / f"{recipe.name}-ablation-{fingerprint(recipe_hash(recipe.to_toml()))[:8]}"


def plan_variants(recipe: Recipe, home: Path, only: Collection[str]) -> Planned:
    """Find what is to be trained and what stays, and refuse what cannot be; writes nothing.

    Raises as `ablate` does.
    """
    notes: list[str] = []
    places = {name: home / f"{number}-{_slug(name)}" for number, name in enumerate(variants_of(recipe))}
    there = [name for name, place in places.items() if (place / RECORD).exists()]
    recipes, left_out = _asked(recipe, only, there, notes.append)
    asked = [name for name in recipes if not only or name in (recipe.name, *only)]
    for name in asked:
        refuse_untrainable_in(recipes[name], places[name])
    variants = {name: one for name, one in recipes.items() if name in asked or is_trained(one, places[name])}
    return Planned(
        recipe=recipe, home=home, variants=variants, places=places, asked=asked, left_out=left_out, notes=notes
    )


def train_variants(planned: Planned, tell: Tell, table: str = "the table") -> Trained:
    """Train the recipe and those of its variants that are asked, and take up the others that are complete.

    `table` says in words what those stay in.
    """
    for note in planned.notes:
        tell(note)
    # Before the first run: it says whose ledger counts them.
    write_text(planned.home / ABLATION, planned.recipe.to_toml())
    runs = {}
    for name, variant in planned.variants.items():
        if name in planned.asked:
            tell(f"Variant {planned.asked.index(name) + 1} of {len(planned.asked)}: {name}.")
        else:
            tell(f"{name} was trained before and stays in {table}.")
        runs[name] = train(variant, folder=planned.places[name], tell=tell, progress_bar=False)
    return Trained(recipe=planned.recipe, home=planned.home, runs=runs, left_out=planned.left_out)


def judge_variants(trained: Trained, tell: Tell) -> Judged:
    """Backtest every variant, hold it against the recipe, and write the table."""
    recipe, home, runs = trained.recipe, trained.home, trained.runs
    judged = {name: backtest(run, tell=tell) for name, run in runs.items()}
    answers = {name: answers_of(run) for name, run in runs.items()}
    curves = {name: curve_of(run) for name, run in runs.items()}
    changes = {variant.name: dict(variant.changes) for variant in recipe.ablation}
    rows = []
    for name, found in compared(recipe, {name: [one] for name, one in answers.items()}).items():
        row = {"variant": name, "changes": changes.get(name, {}), "run": runs[name].folder.name, **found}
        if name != recipe.name:
            row["return_difference"] = returns_compared(recipe, [curves[name]], [curves[recipe.name]])
        rows.append(row | _figures(runs[name], judged[name]))
    write_json(
        home / ABLATION_RESULT,
        {"recipe": recipe.name, "seed": recipe.seed, "rows": rows, "left_out": trained.left_out},
    )
    write_ablation_page(home / PAGE, recipe.name, [recipe.seed], rows)
    ablation = Ablation(folder=home, seeds=[recipe.seed], rows=rows, left_out=trained.left_out)
    return Judged(ablation=ablation, answers=answers, curves=curves)


def _asked(
    recipe: Recipe, only: Collection[str], there: Collection[str], tell: Tell
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """The recipe and the variants that are asked or trained already, by name, and why others could not be asked.

    Raises RecipeError for none.
    """
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
    left_out = {name: why for name, why in lacking.items() if why and (not only or name in (first, *only, *there))}
    if first in left_out or all(lacking[name] for name in only or variants):
        raise RecipeError(
            f"There is nothing to compare: {' '.join(left_out.values())}",
            remedy="Name the recordings of order books beside the candles in data.books.path, the weights in "
            "model.other_markets.path, the networks in features.pattern_networks.folders.",
        )
    for name, why in left_out.items():
        tell(f"{name} is left out: {why}")
    wanted = {name: pinned(one) for name, one in recipes.items() if not lacking[name]}
    return _from_one_time_on(wanted, tell, only=(first, *only) if only else (), there=there), left_out


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "variant"


def _from_one_time_on(
    recipes: Mapping[str, Recipe], tell: Tell, *, only: Collection[str] = (), there: Collection[str] = ()
) -> dict[str, Recipe]:
    """The recipes, those whose windows are known earlier held back to the first window of the latest.

    A companion that was listed late, a longer window or warm-up must not look better or worse by what it has to learn
    from. The members of a consensus have windows of their own: where all variants have the same members, these learn
    from the same in each and are left as they are; else every member of every variant is held back. `only` names those
    that are asked now, empty: all; `there` others that are returned with them. One that is not asked and that the
    history is too short for holds nobody back.
    """
    found = {name: recipe for name, recipe in recipes.items() if not only or name in (*only, *there)}
    seen: dict[str, int] = {}
    firsts: dict[str, dict[str, int]] = {}
    for name, recipe in recipes.items():
        try:
            firsts[name] = _first_windows(recipe, seen)
        except NotEnoughData:
            if not only or name in only:
                raise
            found.pop(name, None)
    if all(one == next(iter(firsts.values())) for one in firsts.values()):
        return found
    latest = max(max(one.values()) for one in firsts.values())
    for name, recipe in found.items():
        first = min(firsts[name].values())
        if first < latest:
            if not only or name in only:
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
