"""Options that several commands share, spelt once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[
    str, typer.Argument(help="A recipe file (TOML) or the name of a shipped recipe.", metavar="RECIPE")
]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Candles to use instead of the recipe's: CSV, Parquet, Arrow, or a recorded tape.",
        metavar="FILE",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a key of the recipe; may be repeated.", metavar="KEY=VALUE"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines instead of tables.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
StoreOption = Annotated[
    Path, typer.Option("--store", help="Folder of the candle store.", envvar="TRIPTYCH_STORE", metavar="DIR")
]


def recipe_changes(data: Path | None) -> dict[str, object]:
    """What `--data FILE` changes in a recipe."""
    return {} if data is None else {"data.source": "file", "data.path": str(data)}
