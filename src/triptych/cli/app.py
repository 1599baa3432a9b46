"""The commands, in the order in which a user meets them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import typer.main
from rich.markup import escape

from triptych import __version__
from triptych.cli import (
    ablate,
    anomaly,
    backtest,
    books,
    dashboard,
    data,
    demo,
    encodings,
    evaluate,
    exchange,
    explain,
    journal,
    kill,
    leaderboard,
    leak_probe,
    live,
    patterns,
    predict,
    profile,
    recipe,
    reconcile,
    regimes,
    render,
    report,
    similar,
    train,
    tune,
)

app = typer.Typer(
    name="triptych",
    help="One market, three neural views: from raw candles to a trained model and an honest backtest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.add_typer(exchange.app, name="exchange")
app.add_typer(recipe.app, name="recipe")
app.command("encodings")(encodings.encodings)
app.command("render")(render.render)
app.add_typer(patterns.app, name="patterns")
app.add_typer(regimes.app, name="regimes")
app.add_typer(books.app, name="books")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("backtest")(backtest.backtest)
app.command("report")(report.report)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("similar")(similar.similar)
app.command("live")(live.live)
app.command("dashboard")(dashboard.dashboard)
app.command("kill")(kill.kill)
app.add_typer(journal.app, name="journal")
app.command("reconcile")(reconcile.reconcile)
app.command("ablate")(ablate.ablate)
app.command("tune")(tune.tune)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("profile")(profile.profile)
app.command("leak-probe")(leak_probe.leak_probe)
app.add_typer(anomaly.app, name="anomaly")


def command_line() -> Any:
    """The commands as they are run: square brackets of help texts are words there, not markup of the terminal."""
    command = typer.main.get_command(app)
    _escape(command)
    return command


def _escape(command: Any) -> None:
    for part in (command, *command.params):
        if part.help:
            part.help = escape(part.help)
    for child in getattr(command, "commands", {}).values():
        _escape(child)
