"""The truth as files tell it: which rows are anomalies, of which kind, and which are normal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import DataError

NORMAL: Final = frozenset(
    {"", "normal", "none", "nan", "na", "n/a", "null", "false", "no", "no anomaly", "no_anomaly", "ok"}
)
"""Texts that mean no anomaly, in small letters; so does any number that is 0."""
_SHOWN: Final = 12


def labels_of(path: Path, given: pl.Series, tell: Callable[[str], None] = lambda _: None) -> NDArray[Any]:
    """Labels as texts: the kind of anomaly ("1" where the column holds numbers), empty for normal rows.

    Texts are normal where they say so (see `NORMAL`), in whatever letters, or are the number 0; `tell` is told which
    texts of the column were taken for normal and which for kinds of anomalies.

    Raises DataError for numbers and truths that are null; texts that are null are empty, as CSV has it.
    """
    if given.dtype in (pl.String, pl.Categorical) or given.dtype == pl.Enum:
        return _of_texts(given.cast(pl.String).fill_null("").str.strip_chars(), given.name, tell)
    if given.is_null().any() or (given.dtype.is_float() and given.is_nan().any()):
        missing = int((given.cast(pl.Float64).fill_null(float("nan")).is_nan()).sum())
        raise DataError(
            f"{missing} labels in column {given.name!r} of {path} are empty: whether these rows are normal is unknown.",
            remedy="Fill them with 0 or 1, or leave those rows out.",
        )
    return np.where(given.cast(pl.Float64).to_numpy() > 0, "1", "").astype(object)


def _of_texts(texts: pl.Series, name: str, tell: Callable[[str], None]) -> NDArray[Any]:
    counts = texts.value_counts(sort=True, name="rows")
    found = dict(zip(counts[texts.name].to_list(), counts["rows"].to_list(), strict=True))
    normal = {text: rows for text, rows in found.items() if means_normal(text)}
    kinds = {text: rows for text, rows in found.items() if text not in normal}
    tell(f"Labels of column {name!r} taken for normal: {_listed(normal)}; for kinds of anomalies: {_listed(kinds)}.")
    return pl.select(pl.when(texts.is_in(list(normal))).then(pl.lit("")).otherwise(texts)).to_series().to_numpy()


def means_normal(text: str) -> bool:
    """Whether a label says that nothing is wrong."""
    if text.casefold() in NORMAL:
        return True
    try:
        return float(text) == 0.0
    except ValueError:
        return False


def _listed(found: dict[str, int]) -> str:
    shown = [f"{text!r} ({rows:,} rows)" for text, rows in list(found.items())[:_SHOWN]]
    more = [f"{len(found) - _SHOWN} others"] if len(found) > _SHOWN else []
    return ", ".join(shown + more) or "none"
