"""`triptych tune`: search a recipe's networks, training and features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, SearchBar, out, print_json
from triptych.cli.options import DataOption, JsonOption, QuietOption, RecipeArgument, SetOption, recipe_changes


def tune(
    recipe: RecipeArgument,
    data: DataOption = None,
    set_: SetOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the search [default: runs/NAME-tune-FINGERPRINT].", metavar="DIR"),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Candidates to train, all in all [default: tune.trials].", min=1)
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            help="Stop the candidates after so many seconds, each at the end of its epoch.",
            metavar="SECONDS",
            min=0,
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Processes that search together.", min=1, max=256)] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            help="Database for the trials, for many machines: postgresql://USER@HOST/NAME.",
            metavar="URL",
            envvar="TRIPTYCH_STUDIES",
        ),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile", help="Search for the machine of this profile (triptych profile --save).", metavar="FILE"
        ),
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit/--no-refit", help="Train the chosen candidate and judge it on the test part.")
    ] = True,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search networks, training and features of a recipe within a budget, then train and judge the chosen one.

    Candidates are measured before they are trained; those that are too slow or too large are rejected. Latency is that
    of one window or, of networks that carry their memory from candle to candle, of one step (tune.timed). The search
    sees only candles before the test part. Stopped, even killed, it goes on when the same command is given again.
    """
    from triptych import bootstrap
    from triptych.cli.summaries import leaderboard_table, verdict_panel, winner_table
    from triptych.settings import load_recipe

    changes = recipe_changes(data)
    changes |= {
        f"tune.{key}": value for key, value in (("trials", trials), ("timeout_s", timeout)) if value is not None
    }
    chosen = load_recipe(recipe, set_ or [], changes)
    silent = quiet or json
    with SearchBar(chosen.tune.trials, silent=silent) as bar:
        found = bootstrap.tune(
            chosen, folder=folder, workers=workers, storage=storage, profile_file=profile, refits=refit,
            tell=Narrator(silent), after_trial=lambda p: bar.show(p.done, p.best),
        )  # fmt: skip
    if json:
        print_json({"folder": str(found.folder), **found.results})
        return
    out.print(leaderboard_table(found.results))
    if "winner" in found.results:
        out.print(winner_table(found.results))
        out.print(verdict_panel(found.results["winner"]["verdict"]))
        out.print(f"Winner: {found.results['winner']['run']}", soft_wrap=True, markup=False)
    out.print(f"Report: {found.folder / 'report.html'}", soft_wrap=True, markup=False)
