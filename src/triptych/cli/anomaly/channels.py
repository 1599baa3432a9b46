"""`triptych anomaly channels`: candles, order books and funding as rows of numeric channels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import figures, out
from triptych.cli.options import SetOption


def channels(
    recipe: Annotated[
        str, typer.Argument(help="A recipe file (TOML) or a shipped one, as for `anomaly run`.", metavar="RECIPE")
    ],
    files: Annotated[list[Path], typer.Argument(help="Files of candles, or one table of closes.", metavar="FILE...")],
    write: Annotated[Path, typer.Option("--out", help="Where to write the rows (Parquet or CSV).", metavar="FILE")],
    overrides: SetOption = None,
) -> None:
    """Write the channels that `anomaly run` would read of these files, for fit, score, watch and report.

    The column `time` is the close of the candle. Values of the order book or of funding that were not known then are
    empty: fit with --mask.
    """
    from triptych.bootstrap.anomaly_channels import write_channels
    from triptych.settings.study import load_study

    frame = write_channels(load_study(recipe, overrides or ()), files, write)
    unknown = sum(frame.null_count().row(0))
    rows = {"rows": f"{frame.height:,}", "channels": str(frame.width - 1), "unknown values": f"{unknown:,}"}
    out.print(figures("Channels", rows | {"file": str(write)}))
