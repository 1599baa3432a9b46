"""`triptych anomaly score`: scores, alarms and reasons of a file's rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

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
from triptych.cli.console import figures, out, print_json, warn
from triptych.cli.options import JsonOption

if TYPE_CHECKING:
    from triptych.bootstrap.anomaly_judging import Judgement


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
    any_step: AnyStepOption = False,
    within: WithinOption = 8,
    json: JsonOption = False,
) -> None:
    """Score the rows of a file; with labels, also how good the scores are, for each type where labels name types.

    Columns of time and entity, breaks, and the threshold by which `anomaly run` watched are those of the detector where
    nothing else is said. Channels are found by name; columns that the detector does not know are ignored, with a
    warning. Rows that are not as far apart as those of the fit are refused.
    """
    from triptych.bootstrap.anomalies import Rows, score_anomalies

    moving = {"method": method, "alarms_per_day": alarms_per_day, "rows_per_day": rows_per_day, "window": window}
    scored, found, threshold = score_anomalies(
        detector,
        file,
        Rows(time=time, entity=entity, labels=labels),
        out=write,
        breaks=breaks,
        any_step=any_step,
        threshold=moving,
        within=within,
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
                "metrics": None if found is None else found.overall,
                "by_type": None if found is None else found.by_type,
                "notes": [] if found is None else list(found.notes),
                "within_rows": None if found is None else found.within,
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
    counts = {"rows": f"{scored.height:,}", "alarms": f"{alarms.height:,}", "threshold": threshold.words}
    out.print(figures("Scores", counts | ({} if found is None else found.lines())))
    for note in () if found is None else found.notes:
        out.print(note, soft_wrap=True, markup=False)
    if found is not None and found.by_type:
        out.print(_by_type(found))
    top = alarms.sort("score", descending=True).head(10)
    names = scored.columns[: scored.columns.index("score")]  # the time or row, and the entity where there is one
    for *index, value, reasons in top.select(*names, "score", "reasons").iter_rows():
        out.print(f"{'  '.join(map(str, index))}  {value:.2f}  {reasons}", soft_wrap=True, markup=False)


def _by_type(found: Judgement) -> Table:
    heads, rows = found.table()
    table = Table(title="By type of event", title_justify="left", title_style="bold")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
