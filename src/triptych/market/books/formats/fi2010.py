"""FI-2010: five Finnish stocks, ten days, normalised order-book features and labels. Users download it themselves.

A file such as `Train_Dst_NoAuction_ZScore_CF_7.txt` holds numbers separated by blanks, one COLUMN an event: rows 1-40
are the ten best levels (ask price, ask size, bid price, bid size of each), rows 41-144 the derived features, rows
145-149 the labels for 10, 20, 30, 50 and 100 events ahead: 1 up, 2 stationary, 3 down (mean mid of the next k events
against the current mid, threshold 0.002). Prices and sizes are normalised, so that no `BookTape` can be made of them;
the rows can be fed to an encoding that scales by its own window.

Source: Ntakaris, Magris, Kanniainen, Gabbouj and Iosifidis, "Benchmark dataset for mid-price forecasting of limit order
book data with machine learning methods", Journal of Forecasting 37(8), 2018, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain import BUY, HOLD, SELL
from triptych.domain.errors import DataError
from triptych.market.books.formats.lines import read_text

HORIZONS: Final = (10, 20, 30, 50, 100)
"""Events ahead of the five labels."""
LEVELS: Final = 10
N_FEATURES: Final = 144
_CLASS_OF_LABEL: Final = np.array([-1, BUY, HOLD, SELL])


@dataclass(frozen=True, kw_only=True, slots=True)
class Fi2010:
    """One file.

    Attributes:
        features: float64 of shape (n, 144), as normalised in the file.
        rows: float64 of shape (n, 40): the ten levels in the order of `book_columns(10)`.
        labels: int64 of shape (n, 5), one column a horizon, in the order of `CLASSES` (0 sell, 1 hold, 2 buy).
        segment: int64 of shape (n,): rows of equal number belong to one stock and day. The file does not mark the
            borders; they are the places where the mid leaps (see `read_fi2010`).
    """

    features: NDArray[np.float64]
    rows: NDArray[np.float64]
    labels: NDArray[np.int64]
    segment: NDArray[np.int64]

    def window_ends(self, length: int, horizon: int) -> NDArray[np.int64]:
        """Events where a window of `length` may end so that neither it nor its label crosses a border, int64 (k,)."""
        n = len(self.segment)
        ends = np.arange(length - 1, n - horizon)
        same = (self.segment[ends - length + 1] == self.segment[ends]) & (
            self.segment[ends + horizon] == self.segment[ends]
        )
        valid: NDArray[np.int64] = ends[same]
        return valid


def looks_like_fi2010(head: str) -> bool:
    """Whether a text begins like such a file: a line of very many numbers separated by blanks."""
    words = head.split("\n", 1)[0].split()
    return len(words) > 100 and all(_is_number(word) for word in words[:100])


def read_fi2010(path: Path, *, leap: float = 50.0) -> Fi2010:
    """Read a file of the layout above.

    Args:
        path: text, plain or gzip.
        leap: a border lies where the mid moves by more than this many times the median of its moves other than zero.

    Raises DataError when the file has not 149 rows of equal length, holds something else than numbers, or other labels.
    """
    values = _matrix(path)
    if values.shape[0] != N_FEATURES + len(HORIZONS):
        raise DataError(
            f"{path}: expected {N_FEATURES + len(HORIZONS)} rows, one column an event, was {values.shape[0]}.",
            remedy="Use a file of the FI-2010 set as downloaded.",
        )
    features, raw = values[:N_FEATURES].T.copy(), values[N_FEATURES:].T
    bad = np.argwhere(~np.isin(raw, (1, 2, 3)))
    if bad.size:
        event, horizon = (int(x) for x in bad[0])
        raise DataError(
            f"{path}, row {N_FEATURES + horizon + 1}, column {event + 1}: the label {raw[event, horizon]:g} is none of "
            "1, 2, 3.",
            remedy="Use a file of the FI-2010 set as downloaded.",
        )
    levels = features[:, : 4 * LEVELS].reshape(-1, LEVELS, 4)
    rows = np.concatenate([levels[:, :, field] for field in (2, 3, 0, 1)], axis=1)
    mid = (levels[:, 0, 0] + levels[:, 0, 2]) / 2
    moves = np.abs(np.diff(mid))
    moved = moves[moves > 0]
    leaps = moves > leap * np.median(moved) if moved.size else np.zeros(len(moves), dtype=np.bool_)
    segment = np.concatenate([[0], np.cumsum(leaps)]).astype(np.int64)
    return Fi2010(features=features, rows=rows, labels=_CLASS_OF_LABEL[raw.astype(np.int64)], segment=segment)


def _matrix(path: Path) -> NDArray[np.float64]:
    rows: list[NDArray[np.float64]] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = pl.Series(line.split(), dtype=pl.String)
        numbers = words.cast(pl.Float64, strict=False)
        bad = numbers.is_null().arg_true()
        if len(bad):
            raise DataError(
                f"{path}, row {number}, column {bad[0] + 1}: {words[bad[0]]!r} is not a number.",
                remedy="Use a file of the FI-2010 set as downloaded.",
            )
        if rows and len(numbers) != len(rows[0]):
            raise DataError(
                f"{path}, row {number} has {len(numbers)} columns, the rows before it have {len(rows[0])}.",
                remedy="Use a file of the FI-2010 set as downloaded.",
            )
        rows.append(numbers.to_numpy())
    if not rows or not len(rows[0]):
        raise DataError(f"{path} is empty.", remedy="Use a file of the FI-2010 set as downloaded.")
    return np.stack(rows)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
