"""`triptych data check`: what is wrong with a file of candles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from triptych.cli.options import JsonOption


def check(
    file: FileArgument,
    symbol: SymbolOption = None,
    timeframe: TimeframeOption = None,
    column: ColumnOption = None,
    timezone: TimezoneOption = "UTC",
    timestamp_unit: TimestampUnitOption = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="Write the report as JSON here too.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Report gaps, duplicates, disorder, impossible candles, outliers, zero volume and stale prices.

    Exit status 1 when the file holds errors that an import would refuse.
    """
    from triptych.domain.errors import DataError
    from triptych.domain.files import write_json
    from triptych.market import check_quality, read_raw

    raw = read_raw(
        file,
        symbol=symbol,
        timeframe=timeframe,
        columns=roles(column),
        timezone=timezone,
        timestamp_unit=timestamp_unit,
    )
    if raw.frame.is_empty():
        raise DataError(f"{file.name}: there are no candles in it.", remedy="Bring a source with rows of candles.")
    if raw.problem is not None:
        raise raw.problem
    reports = [check_quality(part, raw.timeframe, symbol=name) for name, part in raw.by_symbol().items()]
    content = {"file": str(file), "notes": list(raw.notes), "instruments": [report.to_dict() for report in reports]}
    if output is not None:
        write_json(output, content)
    if json:
        print_json(content)
    else:
        for note in raw.notes:
            out.print(f"Note: {note}", soft_wrap=True, markup=False)
        for report in reports:
            out.print(report.table())
    if any(report.severity == "error" for report in reports):
        raise typer.Exit(1)
