"""An ablation trained by several seeds: what a part adds beyond the noise of the test and that of training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from triptych.backtest.luck import LEAST_RETURN
from triptych.bootstrap.ablating import PAGE, Ablation, Judged, home_of, judge_variants, train_variants
from triptych.bootstrap.ablation_comparing import compared, returns_compared
from triptych.bootstrap.ablation_page import write_ablation_page
from triptych.bootstrap.ablation_planning import Planned, plan_variants
from triptych.bootstrap.foreseeing import Foresight
from triptych.bootstrap.run_folder import ABLATION, ABLATION_RESULT, RECORD
from triptych.bootstrap.telling import Tell, silent
from triptych.domain.errors import RecipeError, RunError
from triptych.domain.files import write_json, write_text
from triptych.settings import Recipe

_LARGEST_SEED = 2**31 - 1
_OF_A_SEED = (
    *("mcc", "only_class", "difference", "total_return", "return_difference"),
    *("deflated_sharpe", "trades", "verdict"),
)
"""What the table over seeds keeps of each seed's own."""


def ablate_over_seeds(
    recipe: Recipe, *, seeds: int, folder: Path | None = None, only: Collection[str] = (), tell: Tell = silent
) -> Ablation:
    """Ablate a recipe by several seeds, and hold every variant against it over all of them.

    Each seed is an ordinary ablation in the folder `seed-S`: one that was made there before is taken up, and a stopped
    one goes on. All seeds are trained before the first backtest is judged, and each run counts as a trial for all.

    Args:
        recipe, only, tell: as for `ablate`.
        seeds: how many: that of the recipe, the next one and so on; two or more.
        folder: of the seeds; by default runs/NAME-ablation-FINGERPRINT-seeds.

    Returns:
        Rows as `ablate` has them, of the variants that every seed has, with means over seeds. `mcc`, `difference` and
        `return_difference` hold their mean with a 95 % interval for both noises (see `training.seed_noise`), and
        `by_seed`, `lowest`, `highest`; `total_return` is that of the mean growth (geometric), `return_range` its least
        and greatest, `trades` the mean; `only_class` is that of every seed, or null; `verdict` counts, such as "No
        evidence of an edge (3 of 3)."; `seeds` holds what each seed's own table says. Skill is that on the windows that
        all variants of all seeds have. Also written to the folder, as ablation.json and ablation.html.

    A variant that some seed lacks, as `only` leaves it out there and no run of it is complete, is not in the table, and
    `left_out` says so.

    Raises as `ablate` does, RecipeError for fewer than two seeds and for a variant that sets the seed itself, and
    RunError for a folder that holds an ablation of one seed. What any seed refuses, is refused before anything is
    written.
    """
    if seeds < 2 or recipe.seed + seeds - 1 > _LARGEST_SEED:
        raise RecipeError(
            f"{recipe.name} cannot be asked over {seeds} seeds from {recipe.seed} on.",
            remedy=f"Ask for two or more, up to {_LARGEST_SEED}.",
        )
    _refuse_own_seeds(recipe, seeds)
    home = folder or home_of(recipe).with_name(f"{home_of(recipe).name}-seeds")
    if any(home.glob(f"[0-9]*-*/{RECORD}")):
        raise RunError(
            f"{home} holds an ablation of one seed.",
            remedy=f"Move what is in it into {home / 'seed-S'}, S its seed, or choose another --out.",
        )
    everyone = range(recipe.seed, recipe.seed + seeds)
    foresight = Foresight()
    planned = {
        seed: plan_variants(recipe.model_copy(update={"seed": seed}), home / f"seed-{seed}", only, foresight)
        for seed in everyone
    }
    del foresight  # and the candles with it
    lacking = _lacking(planned)
    write_text(home / ABLATION, recipe.to_toml())  # it says whose ledger counts the runs of its seeds
    for name, why in lacking.items():
        tell(f"{name} is left out of the table over seeds: {why}")
    trained = {}
    for number, (seed, one) in enumerate(planned.items()):
        tell(f"Seed {seed}, {number + 1} of {seeds}.")
        trained[seed] = train_variants(one, tell, f"the table of seed {seed}")
    judged = {seed: judge_variants(one, tell) for seed, one in trained.items()}
    rows = _rows(recipe, judged)
    left_out = lacking | {name: why for one in trained.values() for name, why in one.left_out.items()}
    content = {"recipe": recipe.name, "seed": recipe.seed, "seeds": list(judged), "rows": rows, "left_out": left_out}
    write_json(home / ABLATION_RESULT, content)
    write_ablation_page(home / PAGE, recipe.name, list(judged), rows)
    return Ablation(folder=home, seeds=list(judged), rows=rows, left_out=left_out)


def _refuse_own_seeds(recipe: Recipe, seeds: int) -> None:
    """Refuse variants that would be the same run by every seed, and show no noise of training where there is some."""
    for variant in recipe.ablation:
        if "seed" in variant.changes:
            raise RecipeError(
                f"{recipe.name}, variant {variant.name!r} sets seed = {variant.changes['seed']!r}: it would be the "
                f"same run by each of {seeds} seeds, as if its training had no noise.",
                remedy="Take seed out of its changes, or the variant out of the recipe; --seeds trains the recipe "
                "itself by other seeds.",
            )


def _lacking(planned: Mapping[int, Planned]) -> dict[str, str]:
    """Variants that some seeds will have and others not, and which, in words."""
    found = {}
    for name in {name: None for one in planned.values() for name in one.variants}:
        without = [str(seed) for seed, one in planned.items() if name not in one.variants]
        if without:
            whom = f"seeds {', '.join(without)} have" if len(without) > 1 else f"seed {without[0]} has"
            found[name] = f"{whom} no complete run of it. Ask for it by --only too, or for all."
    return found


def _rows(recipe: Recipe, judged: Mapping[int, Judged]) -> list[dict[str, Any]]:
    """One row a variant that every seed has, the recipe first."""
    first, *others = judged.values()
    names = [name for name in first.answers if all(name in one.answers for one in others)]
    own = {seed: {row["variant"]: row for row in one.ablation.rows} for seed, one in judged.items()}
    found = compared(recipe, {name: [one.answers[name] for one in judged.values()] for name in names})
    theirs = [one.curves[recipe.name] for one in judged.values()]
    rows = []
    for name, row in found.items():
        by_seed = [rows_of[name] for rows_of in own.values()]
        if name != recipe.name:
            row["return_difference"] = returns_compared(recipe, [one.curves[name] for one in judged.values()], theirs)
        details = [
            {"seed": seed, "run": f"seed-{seed}/{one['run']}", **{key: one[key] for key in _OF_A_SEED if key in one}}
            for seed, one in zip(own, by_seed, strict=True)
        ]
        head = {"variant": name, "changes": by_seed[0]["changes"]}
        rows.append({**head, **row, **_means(by_seed), "seeds": details})
    return rows


def _means(by_seed: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the backtests over all seeds."""
    returns = np.array([one["total_return"] for one in by_seed])
    verdicts = Counter(one["verdict"].removesuffix(".") for one in by_seed)
    last = by_seed[-1]
    return {
        "best_baseline": by_seed[0]["best_baseline"],
        "effective_n": by_seed[0]["effective_n"],
        "total_return": float(np.expm1(np.log1p(np.maximum(returns, LEAST_RETURN)).mean())),
        "return_range": [float(returns.min()), float(returns.max())],
        "benchmark_return": by_seed[0]["benchmark_return"],
        "trades": float(np.mean([one["trades"] for one in by_seed])),
        "trials": last["trials"],
        "verdict": " ".join(f"{words} ({count} of {len(by_seed)})." for words, count in verdicts.most_common()),
    }
