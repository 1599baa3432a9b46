"""`triptych ablate`: what does each part of a recipe add?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import DataOption, JsonOption, QuietOption, RecipeArgument, SetOption, recipe_changes


def ablate(
    recipe: RecipeArgument,
    data: DataOption = None,
    set_: SetOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of the runs [default: runs/NAME-ablation-FINGERPRINT, over seeds with -seeds behind it].",
            metavar="DIR",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Train this variant only; may be repeated. Others that are complete in the folder stay in the table, "
            "over seeds those that every seed has [default: all].",
            metavar="NAME",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Train every variant by so many seeds, that of the recipe and the next ones, each in the folder "
            "seed-S of --out. The intervals then hold the noise of training too. Refused for a variant that sets seed.",
        ),
    ] = 1,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train and backtest a recipe and its variants (`[[ablation]]`), and hold each variant against the recipe.

    Every variant is trained on the same folds with the same seed, from the same time on, and each counts as a trial for
    all. Skill is the Matthews correlation on the test windows that all have, the difference that to the recipe, with
    95 % intervals; beside it what the variant earned more than the recipe over the same candles, in points of return.
    With one seed an interval holds the sampling of the test only, not the noise of training. A variant that changes the
    labels is marked as not comparable; one that reads order books is left out where none stand beside the candles, one
    that begins with weights of other markets where none are named (`model.other_markets.path`), one that reads networks
    of patterns where none are named (`features.pattern_networks.folders`). What cannot be trained is refused by name
    before the first training. A stopped ablation goes on where it was.
    """
    from triptych import bootstrap
    from triptych.cli.ablation_tables import ablation_tables
    from triptych.settings import load_recipe

    chosen, tell = load_recipe(recipe, set_ or [], recipe_changes(data)), Narrator(quiet or json)
    if seeds > 1:
        found = bootstrap.ablate_over_seeds(chosen, seeds=seeds, folder=folder, only=only or (), tell=tell)
    else:
        found = bootstrap.ablate(chosen, folder=folder, only=only or (), tell=tell)
    if json:
        print_json({"folder": str(found.folder), "seeds": found.seeds, "rows": found.rows, "left_out": found.left_out})
        return
    for table in ablation_tables(found.rows, len(found.seeds)):
        out.print(table)
    for name, reason in found.left_out.items():
        out.print(f"Left out: {name}. {reason}", markup=False)
    out.print(f"Runs and ablation.html: {found.folder}", soft_wrap=True, markup=False)
