"""`triptych anomaly report`: scores, alarms and their reasons as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.anomaly.options import (
    DetectorArgument,
    EntityOption,
    FileArgument,
    LabelsOption,
    TimeOption,
    WithinOption,
)
from triptych.cli.console import out


def report(
    detector: DetectorArgument,
    file: FileArgument,
    write: Annotated[Path, typer.Option("--out", help="Where to write the page.", metavar="FILE")] = Path(
        "anomalies.html"
    ),
    time: TimeOption = None,
    entity: EntityOption = None,
    labels: LabelsOption = None,
    rows_per_day: Annotated[float, typer.Option("--rows-per-day", min=1e-9, help="Rows of a day.")] = 96.0,
    within: WithinOption = 8,
) -> None:
    """Write a page of HTML: scores with alarms, evidence by channel and band over time, masks, events, metrics.

    Where labels name types, the metrics are told for each type too.
    """
    from triptych.bootstrap.anomalies import Rows
    from triptych.bootstrap.anomaly_report import report_anomalies

    columns = Rows(time=time, entity=entity, labels=labels)
    path = report_anomalies(detector, file, write, columns, rows_per_day=rows_per_day, within=within)
    out.print(f"Report: {path}", soft_wrap=True, markup=False)
