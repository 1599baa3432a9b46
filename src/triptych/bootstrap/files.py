"""Reading and writing the files of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from triptych.domain.errors import RunError
from triptych.domain.files import write_atomically

_REMEDY = "Run the command that makes it: train, then backtest."


def read_json(path: Path) -> Any:
    """Read JSON. Raises RunError when the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing.", remedy=_REMEDY) from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}.", remedy=_REMEDY) from error


def write_frame(path: Path, frame: pl.DataFrame) -> Path:
    """Write a frame as Parquet (zstd), atomically."""
    return write_atomically(path, lambda temporary: frame.write_parquet(temporary, compression="zstd"))


def read_frame(path: Path) -> pl.DataFrame:
    """Read a Parquet file. Raises RunError when it is missing or damaged."""
    try:
        return pl.read_parquet(path)
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing.", remedy=_REMEDY) from error
    except pl.exceptions.PolarsError as error:
        raise RunError(f"{path} is damaged: {error}.", remedy=_REMEDY) from error
