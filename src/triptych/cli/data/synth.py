"""`triptych data synth`: the embedded market as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import out


def synth(
    output: Annotated[Path, typer.Option("--out", help="File to write: .parquet or .csv.", metavar="FILE")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 1,
    signal: Annotated[float, typer.Option(min=0, max=1, help="Predictability: 0 none at all, 1 plain to see.")] = 1.0,
    candles: Annotated[int, typer.Option(min=1, help="Candles of each instrument.")] = 20_000,
    timeframe: Annotated[str, typer.Option(help="Length of a candle, such as 5m, 15m or 1h.")] = "15m",
    instruments: Annotated[int, typer.Option(min=1, max=12, help="How many correlated instruments.")] = 4,
) -> None:
    """Invent a market: correlated instruments, regimes, jumps, seasons, and a dial of predictability."""
    import io

    from pydantic import ValidationError

    from triptych.domain.errors import DataError
    from triptych.domain.files import write_bytes
    from triptych.market import synthetic, to_panel

    if output.suffix not in (".parquet", ".csv"):
        raise DataError(f"Cannot write candles to {output}.", remedy="Choose a name ending in .parquet or .csv.")
    try:
        config = synthetic.Config(
            seed=seed, signal=signal, n_candles=candles, timeframe=timeframe, instruments=instruments
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ").removesuffix(".")
        raise DataError(
            f"The market cannot be made: {reason}.",
            remedy="See `triptych data synth --help` for what can be asked for.",
        ) from error
    panel = to_panel(synthetic.synthesise(config).series)
    # To memory first: Polars' own writers say in many ways, none of them an OSError, that the disk is full.
    buffer = io.BytesIO()
    if output.suffix == ".parquet":
        panel.write_parquet(buffer)
    else:
        panel.write_csv(buffer)
    write_bytes(output, buffer.getvalue())
    out.print(f"{len(panel)} candles of {', '.join(config.symbols)}: {output}", soft_wrap=True, markup=False)
