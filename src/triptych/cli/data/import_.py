"""`triptych data import`: files into the candle store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.cli.console import out, print_json
from triptych.cli.data.options import (
    ColumnOption,
    FileArgument,
    SymbolOption,
    TimeframeOption,
    TimestampUnitOption,
    TimezoneOption,
    roles,
)
from triptych.cli.options import JsonOption, StoreOption


def import_(
    file: FileArgument,
    store: StoreOption = Path("store"),
    venue: Annotated[str, typer.Option(help="Where the candles are from.")] = "local",
    symbol: SymbolOption = None,
    timeframe: TimeframeOption = None,
    column: ColumnOption = None,
    timezone: TimezoneOption = "UTC",
    timestamp_unit: TimestampUnitOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Drop or mend bad rows instead of refusing the file.")
    ] = False,
    duplicates: Annotated[
        Literal["error", "first", "last"],
        typer.Option(help="Rows of one time that differ: refuse them, or take the first or last of them."),
    ] = "error",
    replace: Annotated[
        bool, typer.Option("--replace", help="Where a stored candle differs, take the file's; else keep the stored.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read candles and merge them into the store. Importing the same file twice changes nothing."""
    from triptych.domain import SystemClock, utc
    from triptych.market import CandleStore, read_candles

    found = read_candles(
        file,
        symbol=symbol,
        timeframe=timeframe,
        venue=venue,
        columns=roles(column),
        timezone=timezone,
        timestamp_unit=timestamp_unit,
        repair=repair,
        duplicates=duplicates,
        now_ms=SystemClock().now_ms(),
    )
    conflict: Literal["replace", "keep"] = "replace" if replace else "keep"
    rows = []
    for one in found.series:
        merged = CandleStore(store).merge(one, on_conflict=conflict)
        rows.append(
            {
                "venue": venue,
                "symbol": one.symbol,
                "timeframe": str(one.timeframe),
                "candles": len(one),
                "first": utc(int(one.open_time_ms[0])),
                "last": utc(int(one.open_time_ms[-1])),
                "new": merged.new,
                "changed": merged.changed,
                "same": merged.same,
                "kept": merged.kept,
            }
        )
    if json:
        print_json({"imported": rows, "notes": list(found.notes)})
        return
    for note in found.notes:
        out.print(f"Note: {note}", soft_wrap=True, markup=False)
    for row in rows:
        out.print(
            f"{row['venue']} {row['symbol']} {row['timeframe']}: {row['candles']} candles, {row['first']} to "
            f"{row['last']} UTC; {row['new']} new, {row['changed']} replaced, {row['same']} the same, "
            f"{row['kept']} kept as stored.",
            soft_wrap=True,
            markup=False,
        )
