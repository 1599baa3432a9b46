"""`triptych similar`: when the market last looked like this, and what followed."""

from __future__ import annotations

from typing import Annotated

import typer

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption, RunArgument


def similar(
    run: RunArgument,
    at: Annotated[
        str,
        typer.Option("--at", help="Close of the last candle of the window, UTC, or `last`.", metavar="TIME"),
    ] = "last",
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument [default: the first].")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Windows to show.")] = 10,
    json: JsonOption = False,
) -> None:
    """Look up the most similar windows of the past, and what followed each. RUN is of a recipe with [siamese].

    Windows share no candle with the one asked about or with one another, and their outcome was known by TIME. A network
    that has collapsed, and tells no window from another, is refused, and so is a past that is too short to tell that
    by: fewer than 20 windows that overlap by half at most.
    """
    from rich.table import Table

    from triptych import bootstrap

    found = bootstrap.similar(bootstrap.open_run(run), at=at, symbol=symbol, count=count)
    content = found.to_dict()
    if json:
        print_json(content)
        return
    table = Table(title=f"{found.symbol}: like the window that closed at {content['time']} UTC", title_justify="left")
    for name in ("closed (UTC)", "similarity", "followed", "return"):
        table.add_column(name, justify="left" if name in ("closed (UTC)", "followed") else "right")
    for row in found.rows:
        table.add_row(row["time"], f"{row['similarity']:.3f}", row["followed"], f"{row['return']:+.2%}")
    out.print(table)
    change = "not known"
    if found.change is not None and found.change_rank is not None:
        change = f"{found.change:.3f}, above {found.change_rank:.0%} of them"
    out.print(
        f"Strangeness {found.strangeness:.3f}, above {found.strangeness_rank:.0%} of the windows before. Change since "
        f"the window before: {change}.",
        markup=False,
    )
    if found.learned_from_it:
        out.print("Note: the model learned from candles of this time; likeness was not learned without them.")
