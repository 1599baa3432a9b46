"""`triptych anomaly watch`: score rows as they come in."""

from __future__ import annotations

import json as json_
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from triptych.cli.anomaly.options import DetectorArgument, EntityOption, TimeOption
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
        Literal["fixed", "rolling", "conformal", "spot"], typer.Option("--threshold", help="How the threshold moves.")
    ] = "rolling",
    alarms_per_day: Annotated[
        float, typer.Option("--alarms-per-day", min=1e-9, help="Rows a day that may be alarms.")
    ] = 1.0,
    rows_per_day: Annotated[float, typer.Option("--rows-per-day", min=1e-9, help="Rows of a day.")] = 96.0,
    window: Annotated[
        int, typer.Option("--window", min=20, help="Scores the threshold remembers; more for targets that need it.")
    ] = 2000,
    alarms_only: Annotated[bool, typer.Option("--alarms-only", help="Print alarms, not every row.")] = False,
) -> None:
    """Read rows from standard input, one JSON object a line, and print one line of JSON for each.

    Lines that are no rows are answered like rows of NaN; the stream never dies of one. Times are ISO 8601, or seconds
    or milliseconds since 1970. Rows that never come to a score are warned of on the error stream.
    """
    from triptych.bootstrap.anomalies import Rows, watch_anomalies
    from triptych.inference.anomaly.thresholds import Config

    config = Config(method=method, alarms_per_day=alarms_per_day, rows_per_day=rows_per_day, window=window)
    columns = Rows(time=time, entity=entity)
    for row, reading in watch_anomalies(detector, iter(sys.stdin), columns, threshold=config, step=step, warn=warn):
        if alarms_only and not reading.alarm:
            continue
        named = {name: row.get(name) for name in (time, entity) if name is not None}
        typer.echo(json_.dumps(named | asdict(reading), ensure_ascii=False))
