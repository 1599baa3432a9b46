"""`triptych leaderboard`: what a finished search found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption


def leaderboard(
    folder: Annotated[Path, typer.Argument(help="Folder of a search.", metavar="FOLDER")],
    json: JsonOption = False,
) -> None:
    """Print the leaderboard of a search with the latency of every candidate, and how its winner did."""
    from triptych import bootstrap
    from triptych.cli.summaries import leaderboard_table, verdict_panel, winner_table

    results = bootstrap.read_results(folder)
    if json:
        print_json(results)
        return
    out.print(leaderboard_table(results))
    if "winner" in results:
        out.print(winner_table(results))
        out.print(verdict_panel(results["winner"]["verdict"]))
