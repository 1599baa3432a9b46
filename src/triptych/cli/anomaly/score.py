"""`triptych anomaly score`: scores, alarms and reasons of a file's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.anomaly.options import DetectorArgument, EntityOption, FileArgument, LabelsOption, TimeOption
from triptych.cli.console import figures, out, print_json
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
    rows_per_day: Annotated[float, typer.Option("--rows-per-day", min=1e-9, help="Rows of a day.")] = 96.0,
    json: JsonOption = False,
) -> None:
    """Score the rows of a file; with labels, also how good the scores are."""
    from triptych.bootstrap.anomalies import Rows, score_anomalies

    scored, metrics = score_anomalies(
        detector, file, Rows(time=time, entity=entity, labels=labels), out=write, rows_per_day=rows_per_day
    )
    alarms = scored.filter(scored["alarm"])
    if json:
        print_json(
            {
                "rows": scored.height,
                "alarms": alarms.height,
                "threshold": float(scored["threshold"][0]) if scored.height else None,
                "metrics": metrics,
                "highest": [
                    {"row": str(index), "score": value, "reasons": reasons}
                    for index, value, reasons in alarms.sort("score", descending=True)
                    .head(10)
                    .select(scored.columns[0], "score", "reasons")
                    .iter_rows()
                ],
            }
        )
        return
    found = {"rows": f"{scored.height:,}", "alarms": f"{alarms.height:,}"}
    found |= {name.replace("_", " "): f"{value:.3f}" for name, value in (metrics or {}).items()}
    out.print(figures("Scores", found))
    top = alarms.sort("score", descending=True).head(10)
    for index, value, reasons in top.select(scored.columns[0], "score", "reasons").iter_rows():
        out.print(f"{index}  {value:.2f}  {reasons}", soft_wrap=True, markup=False)
