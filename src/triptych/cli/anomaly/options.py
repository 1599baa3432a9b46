"""Options that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FileArgument = Annotated[Path, typer.Argument(help="Rows of numeric channels: CSV or Parquet.", metavar="FILE")]
DetectorArgument = Annotated[Path, typer.Argument(help="Folder of a saved detector.", metavar="DETECTOR")]
TimeOption = Annotated[str | None, typer.Option("--time", help="Column of the rows' times; breaks at gaps.")]
EntityOption = Annotated[
    str | None, typer.Option("--entity", help="Column that says what a row belongs to; no window crosses entities.")
]
LabelsOption = Annotated[
    str | None, typer.Option("--labels", help="Column of the truth: 1, or the kind of anomaly; 0 or empty is normal.")
]
WithinOption = Annotated[
    int,
    typer.Option(
        "--within", min=0, help="Rows after an event's first one in which an alarm is in time.", metavar="ROWS"
    ),
]
