"""Options that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

FileArgument = Annotated[
    Path, typer.Argument(help="Rows of numeric channels: CSV, Parquet or Feather.", metavar="FILE")
]
DetectorArgument = Annotated[Path, typer.Argument(help="Folder of a saved detector.", metavar="DETECTOR")]
TimeOption = Annotated[
    str | None, typer.Option("--time", help="Column of the rows' times; breaks at gaps. Remembered from the fit.")
]
EntityOption = Annotated[
    str | None,
    typer.Option(
        "--entity", help="Column that says what a row belongs to; no window crosses entities. Remembered from the fit."
    ),
]
BreaksOption = Annotated[
    bool | None,
    typer.Option(
        "--breaks/--no-breaks",
        help="Whether a gap in time starts the warm-up anew. Without for what stops at night or at weekends. As in the "
        "fit where it is not said.",
        show_default=False,
    ),
]
AnyStepOption = Annotated[
    bool,
    typer.Option(
        "--any-step",
        help="Take rows that are not as far apart as those of the fit, or entities of one file that differ in it: as "
        "many rows span another time. Else they are refused.",
    ),
]
Method = Literal["fixed", "rolling", "conformal", "spot"]
AlarmsOption = Annotated[
    float | None,
    typer.Option("--alarms-per-day", min=1e-9, help="Rows a day that may be alarms; 1 where nothing says otherwise."),
]
DayOption = Annotated[
    float | None,
    typer.Option("--rows-per-day", min=1e-9, help="Rows of a day. By the times of the fit where it is not said."),
]
WindowOption = Annotated[
    int | None,
    typer.Option(
        "--window",
        min=20,
        help="Scores the threshold remembers; more for targets that need it. 2000 where nothing says otherwise.",
    ),
]
ThresholdOption = Annotated[
    Method | None,
    typer.Option(
        "--threshold",
        help="How the threshold moves. Where it is not said: as `anomaly run` watched, else `fixed`, which is the "
        "detector's own.",
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        help="Column of the truth: 1, or the kind of anomaly; 0, no text, or one such as normal or none is normal.",
    ),
]
WithinOption = Annotated[
    int,
    typer.Option(
        "--within", min=0, help="Rows after an event's first one in which an alarm is in time.", metavar="ROWS"
    ),
]
