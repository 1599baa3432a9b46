"""`triptych anomaly run`: fit on the past, watch what came after, beside a plain detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.options import JsonOption, QuietOption, SetOption

if TYPE_CHECKING:
    from triptych.bootstrap.anomaly_watched import Watch


def run(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe file (TOML) or a shipped one: coins_1h, stocks_and_oil_1d, sse_15m.", metavar="RECIPE"
        ),
    ],
    files: Annotated[list[Path], typer.Argument(help="Files of candles, or one table of closes.", metavar="FILE...")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for detector, scores, picture.", metavar="DIR")],
    overrides: SetOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make channels of candles or closes, fit a detector on the past, watch what came after by the recipe's threshold.

    The detector is CATCH unless the recipe or --set detector.name=pca says otherwise; detector.hidden_rows=16 and
    detector.settings.KEY set what `fit` and the library can. Beside it watches a plain one, as
    --set 'beside=["pca"]' names them: what that finds too, the other adds nothing to.

    Order books and funding beside the candles become channels by --set 'channels.extras=["spread", "funding"]' with
    channels.books.path and channels.funding, or in the recipe.

    Writes the detector, `scores.parquet`, `days.csv`, `study.json` and `picture.png`, and says what the detector made
    of the days that the recipe marks. A fit that was killed goes on when the same command is given again.
    """
    from triptych.bootstrap.anomaly_picture import draw_watch
    from triptych.bootstrap.anomaly_study import run_study
    from triptych.settings.study import load_study

    watch = run_study(load_study(recipe, overrides or ()), files, folder, Narrator(quiet or json))
    draw_watch(watch, folder / "picture.png")
    if json:
        print_json(watch.found())
        return
    rows = {key: f"{value:.3f}" if isinstance(value, float) else str(value) for key, value in watch.summary.items()}
    out.print(figures("Watched", {"detector": watch.detector} | rows | {"folder": str(folder)}))
    for one in watch.marks:
        said = f"{one.alarms} alarms, rank {one.rank} of {watch.days.height} days, score {one.highest:.2f}"
        out.print(f"{one.day} {one.event}: {said}  {one.reasons}", soft_wrap=True, markup=False)
    if watch.beside:
        out.print(_side_by_side([watch, *watch.beside]))


def _side_by_side(watches: Sequence[Watch]) -> Table:
    """Alarms and rank of each known day, and the alarms of the other days, of one detector beside the others."""
    table = Table(title="Beside one another: alarms, rank of the day", title_justify="left", title_style="bold")
    table.add_column("day")
    for watch in watches:
        table.add_column(watch.detector, justify="right")
    events = {mark.day: mark.event for watch in watches for mark in watch.marks}
    said = [{mark.day: f"{mark.alarms}, {mark.rank}" for mark in watch.marks} for watch in watches]
    for day in sorted(events):  # one that warms up then has nothing to say of it
        table.add_row(f"{day} {escape(events[day])}", *(one.get(day, "-") for one in said))
    others = "alarms a day on other days"
    table.add_row(others, *(f"{watch.summary[others]:.3f}" for watch in watches))
    return table
