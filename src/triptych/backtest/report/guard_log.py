"""What the guard did in a backtest, as a table: how often, for how many hours, and its last acts with their reasons."""

from __future__ import annotations

import polars as pl

from triptych.backtest.report.tables import Cell, Table

_SHOWN = 20  # acts


def guard_table(acts: pl.DataFrame, end_ms: int) -> Table:
    """A row for each of the last acts; the caption counts all of them and the hours that instruments were guarded.

    Args:
        acts: frame of GUARD_SCHEMA, not empty.
        end_ms: end of the backtest, UTC ms: what is guarded then counts until there.
    """
    since: dict[str, int] = {}
    guarded_ms = 0
    moments = acts.with_columns(pl.col("time").dt.epoch("ms").alias("ms"))
    for one in moments.sort("ms").iter_rows(named=True):
        if one["action"] == "release":
            guarded_ms += one["ms"] - since.pop(one["symbol"], one["ms"])
        else:
            since.setdefault(one["symbol"], one["ms"])
    guarded_ms += sum(max(end_ms - began, 0) for began in since.values())
    alarms = acts.filter(pl.col("action") != "release").height
    rows = [
        [Cell(text=f"{one['time']:%Y-%m-%d %H:%M} {one['symbol']}"), Cell(text=one["action"]), Cell(text=one["reason"])]
        for one in acts.tail(_SHOWN).iter_rows(named=True)
    ]
    return Table(
        heads=["The guard, last acts", "Action", "Reason"],
        rows=rows,
        caption=f"The guard acted {alarms} times and guarded for {guarded_ms / 3_600_000:.1f} instrument hours in all.",
    )
