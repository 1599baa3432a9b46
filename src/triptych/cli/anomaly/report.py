"""`triptych anomaly report`: scores, alarms and their reasons as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.anomaly.options import (
    AlarmsOption,
    AnyStepOption,
    BreaksOption,
    DayOption,
    DetectorArgument,
    EntityOption,
    FileArgument,
    LabelsOption,
    ThresholdOption,
    TimeOption,
    WindowOption,
    WithinOption,
)
from triptych.cli.console import out, warn


def report(
    detector: DetectorArgument,
    file: FileArgument,
    write: Annotated[Path, typer.Option("--out", help="Where to write the page.", metavar="FILE")] = Path(
        "anomalies.html"
    ),
    time: TimeOption = None,
    entity: EntityOption = None,
    labels: LabelsOption = None,
    method: ThresholdOption = None,
    alarms_per_day: AlarmsOption = None,
    rows_per_day: DayOption = None,
    window: WindowOption = None,
    breaks: BreaksOption = None,
    any_step: AnyStepOption = False,
    within: WithinOption = 8,
) -> None:
    """Write a page of HTML: scores with alarms, evidence by channel and band over time, masks, events, metrics.

    Where labels name types, the metrics are told for each type too. Files are read as `score` reads them.
    """
    from triptych.bootstrap.anomalies import Rows
    from triptych.bootstrap.anomaly_report import report_anomalies

    columns = Rows(time=time, entity=entity, labels=labels)
    moving = {"method": method, "alarms_per_day": alarms_per_day, "rows_per_day": rows_per_day, "window": window}
    path = report_anomalies(
        detector,
        file,
        write,
        columns,
        breaks=breaks,
        any_step=any_step,
        threshold=moving,
        within=within,
        warn=warn,
    )
    out.print(f"Report: {path}", soft_wrap=True, markup=False)
