"""`triptych leak-probe`: does anything in a recipe look into the future?"""

from __future__ import annotations

from typing import Annotated

import typer

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import DataOption, JsonOption, QuietOption, RecipeArgument, SetOption, recipe_changes


def leak_probe(
    recipe: RecipeArgument,
    data: DataOption = None,
    set_: SetOption = None,
    cuts: Annotated[int, typer.Option("--cuts", min=1, help="At how many times the future is taken away.")] = 6,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Recompute images, labels, predictions and decisions on history cut short and demand the same values at the cut.

    Exit status 1 when something peeks.
    """
    from triptych import bootstrap
    from triptych.cli.summaries import leak_table
    from triptych.settings import load_recipe

    chosen = load_recipe(recipe, set_ or [], recipe_changes(data))
    found = bootstrap.leak_probe(chosen, cuts=cuts, tell=Narrator(quiet or json))
    if json:
        print_json(found)
    else:
        out.print(leak_table(found))
        out.print(found["sentence"])
    if not found["passed"]:
        raise typer.Exit(1)
