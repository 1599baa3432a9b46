"""The series that an encoding draws: a field of the candles, or logarithms of their prices."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain import CANDLE_FIELDS, CLOSE, HIGH, LOW, OPEN
from triptych.domain.errors import DataError
from triptych.images._cpu import as_array, has_values, takes_kernel
from triptych.images._series_kernel import (
    ABOVE,
    FIELD,
    LOG_2,
    LOG_RANGE,
    LOG_RETURN,
    ODD,
    POWERS,
    are_positive,
    take_centred,
    take_logarithms,
)

Series = Literal["open", "high", "low", "close", "volume", "log_return", "log_range"]


def series_of(window_BTF: Tensor, name: Series) -> Tensor:
    """A series of candles by its name, shape (batch, time).

    Raises DataError for a logarithm of prices that are not above zero.
    """
    if name in ("log_return", "log_range"):
        _refuse_unless_positive(window_BTF)
    if name == "log_return":
        before = torch.cat([window_BTF[:, :1, OPEN], window_BTF[:, :-1, CLOSE]], dim=1)
        return _log_ratio(window_BTF[..., CLOSE], before)
    if name == "log_range":
        return _log_ratio(window_BTF[..., HIGH], window_BTF[..., LOW])
    return window_BTF[..., CANDLE_FIELDS.index(name)]


def stacked_series(window_BTF: Tensor, names: tuple[Series, ...]) -> Tensor:
    """Several series by their names, shape (batch, series, time)."""
    if takes_kernel(window_BTF):
        rows, columns = rows_and_columns(window_BTF, names)
        return torch.from_numpy(rows).index_select(2, torch.from_numpy(columns)).transpose(1, 2).contiguous()
    return torch.stack([series_of(window_BTF, name) for name in names], dim=1)


def _refuse_unless_positive(window_BTF: Tensor) -> None:
    if not has_values(window_BTF) or are_positive(as_array(window_BTF), CLOSE + 1):
        return
    prices = window_BTF[..., : CLOSE + 1]
    window, row, column = (int(i) for i in torch.nonzero(~(prices > 0))[0])
    raise DataError(
        f"Window {window} of the batch, row {row} of {window_BTF.shape[1]}: {CANDLE_FIELDS[column]} is "
        f"{float(prices[window, row, column]):g}, and the series is of logarithms of prices.",
        remedy="Leave out candles whose prices are not above zero, or choose the series close.",
    )


def _log_ratio(a: Tensor, b: Tensor) -> Tensor:
    """The logarithm of a / b without the rounding of a / b near 1, where candles live; see `_series_kernel.py`."""
    rises = a >= b
    large, small = torch.where(rises, a, b), torch.where(rises, b, a)
    doublings = torch.zeros_like(a)
    for power in POWERS:
        reached = large >= small * (ABOVE * 2.0**power)
        small = torch.where(reached, small * 2.0**power, small)
        doublings = torch.where(reached, doublings + power, doublings)
    x = (large - small) / (large + small)
    square = x * x
    series = torch.full_like(x, ODD[-1])
    for coefficient in reversed(ODD[:-1]):
        series = series * square + coefficient
    result = doublings * LOG_2 + x * series * 2.0
    return torch.where(rises, result, -result)


def rows_and_columns(window_BTF: Tensor, names: tuple[Series, ...]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """What a kernel reads series from: rows of shape (batch, time, any), and the column of each series in them.

    Fields of candles are read where they are; a tensor operation on the way would cost more than a small image.
    """
    if all(name in CANDLE_FIELDS for name in names):
        return as_array(window_BTF), np.array([CANDLE_FIELDS.index(name) for name in names])
    window = as_array(window_BTF)
    _refuse_unless_positive(window_BTF)
    wanted = kinds_of(names)
    rows = np.empty((*window.shape[:2], len(names)), window.dtype)
    take_logarithms(window, wanted, rows)
    return rows, np.arange(len(names))


@cache
def kinds_of(names: tuple[Series, ...]) -> NDArray[np.int64]:
    """What kernels are told of series: kind of each, and of a field its column, shape (series, 2)."""
    kinds = {"log_return": (LOG_RETURN, 0), "log_range": (LOG_RANGE, 0)}
    return np.array([kinds.get(name) or (FIELD, CANDLE_FIELDS.index(name)) for name in names])


def fill_centred(window_BTF: Tensor, names: tuple[Series, ...], *, less_mean: bool, work: Any, out: Any) -> None:
    """Fill `out` with series less their means, in units of their largest value: `_spectra.centred` without tensors.

    Computed in double precision: a small mean of large values must not take digits along.

    Args:
        window_BTF: windows on the CPU.
        names: of the series.
        less_mean: whether the mean is taken off.
        work: float64 of shape (time,), to work in.
        out: to fill, of shape (batch times series, time).

    Raises DataError for a logarithm of prices that are not above zero.
    """
    if any(name in ("log_return", "log_range") for name in names):
        _refuse_unless_positive(window_BTF)
    take_centred(as_array(window_BTF), kinds_of(names), less_mean, work, out)
