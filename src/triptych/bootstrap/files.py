"""Reading and writing the files of a run."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from triptych.domain.errors import RunError
from triptych.domain.files import write_bytes

_REMEDY = "Repeat the command that makes it: `triptych train` mends a damaged run, `triptych backtest` its backtest."


EVALUATION_KEYS = ("metrics", "baselines", "confusion", "leak_meter", "n", "effective_n")
BACKTEST_KEYS = ("performance", "luck", "verdict", "trials", "overrides")
CONSENSUS_KEYS = ("method", "models", "error_correlation", "lift", "better_member", "sentence")
LEAK_PROBE_KEYS = ("passed", "sentence", "cuts", "results")


def read_json(path: Path, keys: Sequence[str] = ()) -> Any:
    """Read JSON. Raises RunError when the file is missing or damaged, or lacks one of `keys`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing.", remedy=_REMEDY) from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}.", remedy=_REMEDY) from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise RunError(f"{path} is damaged: it holds no {', '.join(missing)}.", remedy=_REMEDY)
    return content


def write_frame(path: Path, frame: pl.DataFrame) -> Path:
    """Write a frame as Parquet (zstd), atomically."""
    # To memory first: Polars' own writer says in many ways, none of them an OSError, that the disk is full.
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return write_bytes(path, buffer.getvalue())


def read_frame(path: Path, columns: Sequence[str] = ()) -> pl.DataFrame:
    """Read a Parquet file. Raises RunError when it is missing or damaged, or lacks one of `columns`."""
    try:
        frame = pl.read_parquet(path, glob=False)  # a folder may be called run[1]
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing.", remedy=_REMEDY) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0].removesuffix(".")
        raise RunError(f"{path} is damaged: {first}.", remedy=_REMEDY) from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise RunError(f"{path} is damaged: it holds no {', '.join(missing)}.", remedy=_REMEDY)
    return frame
