"""`triptych predict`: what a trained model says about candles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.cli.console import out, print_json
from triptych.cli.data.options import ColumnOption, TimezoneOption, roles
from triptych.cli.options import JsonOption, RunArgument


def predict(
    run: RunArgument,
    data: Annotated[Path, typer.Option("--data", help="Candles: CSV, Parquet or Arrow.", metavar="FILE")],
    book: Annotated[
        list[Path] | None,
        typer.Option(
            "--book",
            help="Order books beside the candles, for a model that reads them; may be repeated.",
            metavar="FILE|FOLDER",
        ),
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument, where the file holds several.")] = None,
    last: Annotated[
        int, typer.Option("--last", min=0, help="Only the last N predictions; 0 for all.", metavar="N")
    ] = 0,
    column: ColumnOption = None,
    timezone: TimezoneOption = "UTC",
    output: Annotated[
        Path | None, typer.Option("--out", help="Write to this file (.csv, .parquet or .json) instead.", metavar="FILE")
    ] = None,
    backend: Annotated[
        Literal["onnx", "torch", "stream"],
        typer.Option("--backend", help="What runs the model; stream: candle by candle, memory carried along."),
    ] = "onnx",
    json: JsonOption = False,
) -> None:
    """Predict sell, hold and buy for every closed candle of a file. RUN is a run or an artifact folder."""
    from triptych import bootstrap
    from triptych.cli.summaries import prediction_table

    if output is not None:
        bootstrap.require_known_ending(output)
    frame = bootstrap.predict(
        run, data, books=book or (), symbol=symbol, last=last, backend=backend, columns=roles(column), timezone=timezone
    )
    note = bootstrap.learned_note(frame)
    if output is not None:
        bootstrap.write_predictions(frame, output)
    if json:
        print_json(
            bootstrap.prediction_rows(frame)
            if output is None
            else {"file": str(output), "predictions": len(frame), "note": note}
        )
        return
    if output is not None:
        out.print(f"{len(frame)} predictions: {output}", soft_wrap=True, markup=False)
    else:
        out.print(prediction_table(frame))
    if note:
        out.print(f"Note: {note}", soft_wrap=True, markup=False)
