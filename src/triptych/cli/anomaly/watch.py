"""`triptych anomaly watch`: score rows as they come in."""

from __future__ import annotations

import json as json_
import sys
from dataclasses import asdict
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
from triptych.cli.console import warn


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
    alarms_only: Annotated[bool, typer.Option("--alarms-only", help="Print alarms, not every row.")] = False,
) -> None:
    """Read rows from standard input, one JSON object a line or CSV below a header, and print a line of JSON for each.

    Lines that are no rows are answered like rows of NaN; the stream never dies of one. Times are ISO 8601, dates such
    as 20240131, or seconds or milliseconds since 1970; the columns of time and entity are those of the fit, and each
    entity is watched by itself. Rows that never come to a score are warned of on the error stream.
    """
    from triptych.bootstrap.anomalies import Rows, watch_anomalies

    moving = {"method": method, "alarms_per_day": alarms_per_day, "rows_per_day": rows_per_day, "window": window}
    columns = Rows(time=time, entity=entity)
    readings = watch_anomalies(
        detector, iter(sys.stdin), columns, threshold=moving, step=step, breaks=breaks, warn=warn
    )
    for named, reading in readings:
        if alarms_only and not reading.alarm:
            continue
        typer.echo(json_.dumps(named | asdict(reading), ensure_ascii=False))
