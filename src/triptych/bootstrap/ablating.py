"""From a recipe and its variants to one table: what does each part add, out of sample?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.backtest.difference import EquityCurve
from triptych.bootstrap.ablation_comparing import Answers, answers_of, compared, curve_of, returns_compared
from triptych.bootstrap.ablation_page import write_ablation_page
from triptych.bootstrap.ablation_planning import Planned, naming_variant, plan_variants
from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.files import EVALUATION_KEYS, read_json
from triptych.bootstrap.learning import train
from triptych.bootstrap.provenance import fingerprint
from triptych.bootstrap.run_folder import ABLATION, ABLATION_RESULT, RUNS, Run, recipe_hash
from triptych.bootstrap.taking_up import FRESH
from triptych.bootstrap.telling import Tell, silent
from triptych.domain.errors import RunError
from triptych.domain.files import write_json, write_text
from triptych.settings import Recipe

PAGE = "ablation.html"
GOES_ON = "The same command then goes on where it was."


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
    deflated by the number of all. What is complete is not done twice: a stopped ablation goes on where it was, and a
    run is found under whatever number its variant had in the recipe.

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
    other runs, and for each variant that is asked what its training would raise before the first epoch, all before
    anything is written; then whatever else training raises. Errors name the variant.
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


def train_variants(planned: Planned, tell: Tell, table: str = "the table") -> Trained:
    """Train the recipe and those of its variants that are asked, and take up the others that are complete.

    `table` says in words what those stay in.
    """
    for note in planned.notes:
        tell(note)

    def told(words: str) -> None:
        tell(words.removesuffix(FRESH))  # which `ablate` does not have

    # Before the first run: it says whose ledger counts them.
    write_text(planned.home / ABLATION, planned.recipe.to_toml())
    runs = {}
    for name, variant in planned.variants.items():
        if name in planned.asked:
            tell(f"Variant {planned.asked.index(name) + 1} of {len(planned.asked)}: {name}.")
        else:
            tell(f"{name} was trained before and stays in {table}.")
        with planned.naming(name, GOES_ON):
            runs[name] = train(variant, folder=planned.places[name], tell=told, progress_bar=False)
    return Trained(recipe=planned.recipe, home=planned.home, runs=runs, left_out=planned.left_out)


def judge_variants(trained: Trained, tell: Tell) -> Judged:
    """Backtest every variant, hold it against the recipe, and write the table."""
    recipe, home, runs = trained.recipe, trained.home, trained.runs
    judged, answers, curves = {}, {}, {}
    for name, run in runs.items():
        with naming_variant(name, recipe.name, run.folder, GOES_ON):
            judged[name], answers[name], curves[name] = backtest(run, tell=tell), answers_of(run), curve_of(run)
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
