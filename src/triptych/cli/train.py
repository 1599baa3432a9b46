"""`triptych train`: from a recipe to a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import DataOption, JsonOption, QuietOption, RecipeArgument, SetOption, recipe_changes


def train(
    recipe: RecipeArgument,
    data: DataOption = None,
    set_: SetOption = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run [default: runs/NAME-FINGERPRINT].", metavar="DIR")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a run that is already there.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train the model of a recipe and judge it on candles it has not seen.

    A run that was stopped, even killed, goes on from its last checkpoint when the same command is given again, and ends
    with the same result. A run that is complete is not trained twice.
    """
    from triptych import bootstrap
    from triptych.cli.summaries import evaluation_tables
    from triptych.settings import load_recipe

    chosen = load_recipe(recipe, set_ or [], recipe_changes(data))
    silent = quiet or json
    run = bootstrap.train(
        chosen, folder=folder, fresh=fresh, tell=Narrator(silent), progress_bar=False if silent else None
    )
    evaluation = bootstrap.evaluate(run)
    if json:
        print_json({"run": str(run.folder), "artifact": str(run.artifact), "evaluation": evaluation})
        return
    for table in evaluation_tables(evaluation):
        out.print(table)
    out.print(f"Run: {run.folder}\nNext: triptych backtest {run.folder}", soft_wrap=True, markup=False)
