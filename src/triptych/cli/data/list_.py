"""`triptych data list`: what is in the store."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption, StoreOption


def list_(store: StoreOption = Path("store"), json: JsonOption = False) -> None:
    """List the histories in the candle store."""
    import polars as pl

    from triptych.domain import utc
    from triptych.market import CandleStore

    found = CandleStore(store).list()
    times = {name: [utc(time) for time in found[name].dt.epoch("ms")] for name in ("first", "last")}
    rows = found.with_columns(**{name: pl.Series(values, dtype=pl.String) for name, values in times.items()}).to_dicts()
    if json:
        print_json(rows)
        return
    if not rows:
        out.print(f"The store {store} is empty. Fill it with: triptych data import FILE", soft_wrap=True, markup=False)
        return
    table = Table(title=f"Candle store {store}", title_justify="left", title_style="bold")
    for name in ("venue", "symbol", "timeframe", "candles", "from", "to (UTC)", "bytes"):
        table.add_column(name, justify="right" if name in ("candles", "bytes") else "left", overflow="fold")
    for row in rows:
        names = (escape(str(row[name])) for name in ("venue", "symbol", "timeframe"))
        table.add_row(*names, f"{row['rows']:,}", row["first"][:10], row["last"][:10], f"{row['bytes']:,}")
    out.print(table)
