"""`triptych anomaly watch`: score rows as they come in."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.anomaly.options import (
    AlarmsOption,
    BreaksOption,
    DayOption,
    DetectorArgument,
    EntityOption,
    Method,
    TimeOption,
    WindowOption,
)
from triptych.cli.console import json_line, warn


def watch(
    detector: DetectorArgument,
    time: TimeOption = None,
    entity: EntityOption = None,
    step: Annotated[
        float | None,
        typer.Option("--step", help="Usual time from row to row, seconds; a later row starts anew. As in the fit."),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option("--threshold", help="How the threshold moves: as `anomaly run` watched, else `rolling`."),
    ] = None,
    alarms_per_day: AlarmsOption = None,
    rows_per_day: DayOption = None,
    window: WindowOption = None,
    breaks: BreaksOption = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            help="Go on where the watch with this file ended, and keep it: no warm-up, the threshold is remembered.",
            metavar="FILE",
        ),
    ] = None,
    state_every: Annotated[
        int, typer.Option("--state-every", min=1, help="Rows after which --state is written, and at the end.")
    ] = 100,
    alarms_only: Annotated[bool, typer.Option("--alarms-only", help="Print alarms, not every row.")] = False,
) -> None:
    """Read rows from standard input, one JSON object a line or CSV below a header, and print a line of JSON for each.

    Rows that have no score are answered with null and the reason. Lines that are no rows are bad ones; the stream
    never dies of one. Times are ISO 8601, dates such as 20240131, or seconds or milliseconds since 1970; the
    columns of time and entity are those of the fit, and each entity is watched by itself. Rows that never come to a
    score, and those whose times turn out wrong, are told of on the error stream. A time or an entity that JSON
    cannot hold, such as 1e400, is printed as a text.

    With --state the watch ends in order on Ctrl-C and SIGTERM. A detector, threshold or step other than those that
    wrote the file are refused. After a power cut, send the rows since the last writing again, and as many before them
    as you like: all with times not later than the newest that the state knows of their entity are ignored, and their
    number is told on the error stream. A stream of older times that are new needs another file.
    """
    from triptych.bootstrap.anomalies import Rows
    from triptych.bootstrap.anomaly_watch import watch_anomalies

    moving = {"method": method, "alarms_per_day": alarms_per_day, "rows_per_day": rows_per_day, "window": window}
    columns = Rows(time=time, entity=entity)
    readings = watch_anomalies(
        detector,
        iter(sys.stdin),
        columns,
        threshold=moving,
        step=step,
        breaks=breaks,
        state=state,
        state_every=state_every,
        warn=warn,
    )
    for named, reading in readings:
        if alarms_only and not reading.alarm:
            continue
        score = {"score": reading.score if reading.has_score else None}
        typer.echo(json_line(named | asdict(reading) | score))
