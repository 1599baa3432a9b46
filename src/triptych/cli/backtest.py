"""`triptych backtest`: what trading by a run would have earned, after costs, and whether that was luck."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import JsonOption, QuietOption, RunArgument, SetOption


def backtest(
    run: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Of a run of `triptych books train`: candles, trades or a tape to trade it on.",
            metavar="FILE",
        ),
    ] = None,
    book: Annotated[
        list[Path] | None,
        typer.Option("--book", help="Order books beside them; may be repeated.", metavar="FILE|FOLDER"),
    ] = None,
    set_: SetOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Trade the predictions of a run on its out-of-sample candles, with costs, and judge the result.

    A network of `triptych books train` is first tried on candles: name these with `--data`, and the recordings beside
    them with `--book`. `--set` then changes any key of the recipe `book_network`. Without them it is traded again on
    the same.

    `--set` changes strategy, regimes, sizing, execution, risk, guard, costs or backtest keys: each set of changes
    counts as one more trial when luck is judged.
    """
    from triptych import bootstrap
    from triptych.cli.summaries import backtest_table, members_table, verdict_panel

    tell, overrides = Narrator(quiet or json), set_ or []
    if data is None and not book:
        opened = bootstrap.open_run(run)
    else:
        opened, overrides = bootstrap.trading_run(run, data, book or [], overrides=overrides, tell=tell), []
    result = bootstrap.backtest(opened, overrides=overrides, tell=tell)
    if json:
        print_json(result)
        return
    out.print(backtest_table(result))
    if "members" in result:
        out.print(members_table(result["members"]))
    out.print(verdict_panel(result["verdict"]))
    out.print(f"Next: triptych report {run}", soft_wrap=True, markup=False)
