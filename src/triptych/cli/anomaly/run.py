"""`triptych anomaly run`: fit on the past, watch what came after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.options import JsonOption, QuietOption, SetOption


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
    """Make channels of candles or closes, fit CATCH on the past, watch what came after by the recipe's threshold.

    Order books and funding beside the candles become channels by --set 'channels.extras=["spread", "funding"]' with
    channels.books.path and channels.funding, or in the recipe.

    Writes the detector, `scores.parquet`, `days.csv`, `study.json` and `picture.png`, and says what the detector made
    of the days that the recipe marks. A fit that was killed goes on when the same command is given again.
    """
    from dataclasses import asdict

    from triptych.bootstrap.anomaly_picture import draw_watch
    from triptych.bootstrap.anomaly_study import run_study
    from triptych.settings.study import load_study

    watch = run_study(load_study(recipe, overrides or ()), files, folder, Narrator(quiet or json))
    draw_watch(watch, folder / "picture.png")
    if json:
        print_json(watch.summary | {"marks": [asdict(one) for one in watch.marks]})
        return
    rows = {key: f"{value:.3f}" if isinstance(value, float) else str(value) for key, value in watch.summary.items()}
    out.print(figures("Watched", rows | {"folder": str(folder)}))
    for one in watch.marks:
        said = f"{one.alarms} alarms, rank {one.rank} of {watch.days.height} days, score {one.highest:.2f}"
        out.print(f"{one.day} {one.event}: {said}  {one.reasons}", soft_wrap=True, markup=False)
