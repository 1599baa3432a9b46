"""`triptych regimes`: the regimes of a file of candles, and alarms that they have switched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption

app = typer.Typer(help="Regimes of the market: alarms that they have switched.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `alarms` a command of its own while it is the only one."""


@app.command("alarms")
def alarms(
    file: Annotated[Path, typer.Argument(help="Candles: CSV, Parquet or Arrow.", metavar="FILE")],
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument, where the file holds several.")] = None,
    share: Annotated[
        float, typer.Option("--share", min=0.01, max=0.99, help="Share of the history, from its start, to fit on.")
    ] = 0.6,
    method: Annotated[
        Literal["filter", "cusum"], typer.Option("--method", help="Filtered regimes, or CUSUM of the volatility.")
    ] = "filter",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, help="Of the filter a probability (0.7), of CUSUM a sum (20)."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Raise an alarm at each close at which the market has switched to another regime."""
    from triptych.bootstrap.chart_patterns import read_one
    from triptych.bootstrap.regime_alarms import alarm_rows, regime_alarms

    series = read_one(file, symbol)
    least = threshold if threshold is not None else (0.7 if method == "filter" else 20.0)
    found = regime_alarms(series, share=share, threshold=least, method=method)
    rows = alarm_rows(series, found)
    if json:
        print_json({"alarms": rows, "agreement": found.agreement, "notes": list(found.fitted.notes())})
        return
    judged = len(series) - found.first
    table = Table(
        title=f"{len(rows)} alarms in {judged:,} candles of {series.symbol}, fitted on the {found.first:,} before them",
        title_justify="left",
    )
    for head in ("at the close of", "likeliest regime", "probability"):
        table.add_column(head)
    for row in rows:
        table.add_row(row["time"][:16], row["regime"].replace("_", " "), f"{row['probability']:.2f}")
    out.print(table)
    for name, one in found.agreement.items():
        if one["likeliest"] > 0:
            out.print(
                f"{name.replace('_', ' ')}: likeliest for {one['likeliest']:.0%} of the candles; its rule holds for "
                f"{one['agreement']:.0%} of these."
            )
    for note in found.fitted.notes():
        out.print(note)
