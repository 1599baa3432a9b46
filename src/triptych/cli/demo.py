"""`triptych demo`: the whole way once, on the embedded market or on your own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, out
from triptych.cli.options import DataOption, SetOption, recipe_changes


def demo(
    data: DataOption = None,
    signal: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Predictability of the embedded market: 0 none, 1 plain to see [default: the recipe's]."
        ),
    ] = None,
    set_: SetOption = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the run.", metavar="DIR")] = None,
) -> None:
    """Generate a market, draw it, train an EfficientNet on the pictures, backtest with costs and write the report."""
    from triptych import bootstrap
    from triptych.cli.summaries import backtest_table, evaluation_tables, verdict_panel
    from triptych.settings import load_recipe

    tell = Narrator()
    changes = recipe_changes(data) | ({} if signal is None else {"data.synthetic.signal": signal})
    run = bootstrap.train(load_recipe("demo", set_ or [], changes), folder=folder, tell=tell)
    result = bootstrap.backtest(run, tell=tell)
    written = bootstrap.report(run, tell=tell)
    for table in evaluation_tables(bootstrap.evaluate(run)):
        out.print(table)
    out.print(backtest_table(result))
    out.print(verdict_panel(result["verdict"]))
    out.print(f"Report: {written.html}", soft_wrap=True, markup=False)
