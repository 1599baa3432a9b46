"""`triptych recipe`: the shipped recipes and what every key means."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import out
from triptych.cli.options import SetOption

app = typer.Typer(help="Shipped recipes, and what every key means.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the shipped recipes."""
    from triptych.settings import recipe_text, shipped_recipes

    for name in shipped_recipes():
        out.print(f"{name:<20} {_about(recipe_text(name)[0])}", soft_wrap=True, markup=False)


def _about(text: str) -> str:
    """The first paragraph of a recipe's comment, on one line."""
    lines = itertools.takewhile(lambda line: line.startswith("#") and line != "#", text.splitlines())
    return " ".join(line.removeprefix("#").strip() for line in lines)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A recipe file or shipped recipe; none prints the defaults.")] = "",
    set_: SetOption = None,
    output: Annotated[Path | None, typer.Option("--out", help="Write it to this file.", metavar="FILE")] = None,
) -> None:
    """Print a recipe as TOML, with every default written out and every key explained."""
    from triptych.domain.files import write_text
    from triptych.settings import annotated_toml, load_recipe, parse_recipe

    recipe = load_recipe(name, set_ or []) if name else parse_recipe({})
    text = annotated_toml(recipe)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
        out.print(f"Recipe: {output}", soft_wrap=True, markup=False)
