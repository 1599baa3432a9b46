"""`triptych anomaly score`: scores, alarms and reasons of a file's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.anomaly.options import (
    AlarmsOption,
    BreaksOption,
    DayOption,
    DetectorArgument,
    EntityOption,
    FileArgument,
    LabelsOption,
    ThresholdOption,
    TimeOption,
    WindowOption,
)
from triptych.cli.console import figures, out, print_json, warn
from triptych.cli.options import JsonOption


def score(
    detector: DetectorArgument,
    file: FileArgument,
    write: Annotated[
        Path | None,
        typer.Option("--out", help="Write score, threshold, alarm and reasons of every row.", metavar="FILE"),
    ] = None,
    time: TimeOption = None,
    entity: EntityOption = None,
    labels: LabelsOption = None,
    method: ThresholdOption = None,
    alarms_per_day: AlarmsOption = None,
    rows_per_day: DayOption = None,
    window: WindowOption = None,
    breaks: BreaksOption = None,
    json: JsonOption = False,
) -> None:
    """Score the rows of a file; with labels, also how good the scores are.

    Columns of time and entity, breaks, and the threshold by which `anomaly run` watched are those of the detector where
    nothing else is said.
    """
    from triptych.bootstrap.anomalies import Rows, score_anomalies

    moving = {"method": method, "alarms_per_day": alarms_per_day, "rows_per_day": rows_per_day, "window": window}
    scored, metrics, threshold = score_anomalies(
        detector,
        file,
        Rows(time=time, entity=entity, labels=labels),
        out=write,
        breaks=breaks,
        threshold=moving,
        warn=warn,
    )
    alarms = scored.filter(scored["alarm"])
    if json:
        print_json(
            {
                "rows": scored.height,
                "alarms": alarms.height,
                "threshold": float(scored["threshold"][-1]) if scored.height else None,
                "threshold method": threshold.method,
                "metrics": metrics,
                "highest": [
                    {"row": " ".join(map(str, index)), "score": value, "reasons": reasons}
                    for *index, value, reasons in alarms.sort("score", descending=True)
                    .head(10)
                    .select(*scored.columns[: scored.columns.index("score")], "score", "reasons")
                    .iter_rows()
                ],
            }
        )
        return
    found = {"rows": f"{scored.height:,}", "alarms": f"{alarms.height:,}", "threshold": threshold.words}
    found |= {name.replace("_", " "): f"{value:.3f}" for name, value in (metrics or {}).items()}
    out.print(figures("Scores", found))
    top = alarms.sort("score", descending=True).head(10)
    names = scored.columns[: scored.columns.index("score")]  # the time or row, and the entity where there is one
    for *index, value, reasons in top.select(*names, "score", "reasons").iter_rows():
        out.print(f"{'  '.join(map(str, index))}  {value:.2f}  {reasons}", soft_wrap=True, markup=False)
