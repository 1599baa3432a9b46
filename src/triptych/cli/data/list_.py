"""`triptych data list`: what is in the store."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption, StoreOption


def list_(store: StoreOption = Path("store"), json: JsonOption = False) -> None:
    """List the histories in the candle store."""
    from triptych.market import CandleStore

    found = CandleStore(store).list()
    rows = found.with_columns(found["first"].dt.to_string("iso"), found["last"].dt.to_string("iso")).to_dicts()
    if json:
        print_json(rows)
        return
    if not rows:
        out.print(f"The store {store} is empty. Fill it with: triptych data import FILE", soft_wrap=True, markup=False)
        return
    table = Table(title=f"Candle store {store}", title_justify="left", title_style="bold")
    for name in found.columns:
        table.add_column(name, justify="right" if name in ("rows", "files", "bytes") else "left")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    out.print(table)
