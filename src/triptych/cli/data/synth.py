"""`triptych data synth`: the embedded market as a file."""

from __future__ import annotations

from collections.abc import Callable
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
    from triptych.domain.errors import DataError, TriptychError
    from triptych.domain.files import write_atomically
    from triptych.market import synthetic, to_panel

    try:
        config = synthetic.Config(
            seed=seed, signal=signal, n_candles=candles, timeframe=timeframe, instruments=instruments
        )
    except ValueError as error:
        if isinstance(error, TriptychError):
            raise
        raise DataError(f"The market cannot be made: {error}") from error
    panel = to_panel(synthetic.synthesise(config).series)
    writers: dict[str, Callable[[Path], object]] = {".parquet": panel.write_parquet, ".csv": panel.write_csv}
    if output.suffix not in writers:
        raise DataError(f"Cannot write candles to {output}.", remedy="Choose a name ending in .parquet or .csv.")
    write_atomically(output, writers[output.suffix])
    out.print(f"{len(panel)} candles of {', '.join(config.symbols)}: {output}", soft_wrap=True)
