"""How a file of candles is read: options of `import` and `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.domain.errors import ColumnError

FileArgument = Annotated[Path, typer.Argument(help="Candles: CSV, Parquet or Arrow.", metavar="FILE")]
SymbolOption = Annotated[
    str | None,
    typer.Option(
        "--symbol", help="Take this instrument, or name it where the file does not [default: from column or file name]."
    ),
]
TimeframeOption = Annotated[
    str | None, typer.Option("--timeframe", help="Such as 15m [default: from file name or times].")
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help="Role of a column that is not recognised: close=Last.", metavar="ROLE=NAME"),
]
TimezoneOption = Annotated[str, typer.Option("--timezone", help="Time zone of times that carry none.")]

TimestampUnitOption = Annotated[
    Literal["s", "ms", "us", "ns"] | None,
    typer.Option("--timestamp-unit", help="Unit of epoch numbers [default: by their size]."),
]


def roles(columns: list[str] | None) -> dict[str, str] | None:
    """`--column ROLE=NAME` as a mapping. Raises ColumnError for another form."""
    found = {}
    for item in columns or []:
        role, separator, name = item.partition("=")
        if not separator:
            raise ColumnError(f"Cannot read --column {item!r}.", remedy="Write it as role=name: close=Last.")
        found[role.strip()] = name.strip()
    return found or None
