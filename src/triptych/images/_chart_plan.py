"""What a chart knows before it sees a price, as the compiled loops of `_chart_kernel.py` read it.

Plans are named tuples of arrays because a kernel takes nothing else. They hold float64, which a kernel rounds to the
precision of its window.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from triptych.images._cpu import as_array
from triptych.images._geometry import Areas, Line


class LinePlan(NamedTuple):
    """Where the lines of a chart run, as `Line` explains it."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    offset: NDArray[np.float64]
    gap: NDArray[np.float64]
    """Of the edges of columns, shape (lines, width + 1)."""
    drawn: NDArray[np.bool_]
    """Columns that a line reaches, shape (lines, width)."""

    @classmethod
    def of(cls, lines: list[Line], width: int) -> LinePlan:
        """The plan of some lines of one chart; there may be none."""

        def stacked(name: str, columns: int, dtype: type) -> NDArray[Any]:
            rows = [as_array(line.get_buffer(name)) for line in lines]
            return np.array(rows, dtype=dtype).reshape(len(lines), columns)

        return cls(
            left=stacked("left", width + 1, np.int64),
            right=stacked("right", width + 1, np.int64),
            offset=stacked("offset", width + 1, np.float64),
            gap=stacked("gap", width + 1, np.float64),
            drawn=stacked("drawn", width, np.bool_),
        )


class CandlestickPlan(NamedTuple):
    """What a candlestick chart knows before it sees a price."""

    candle: NDArray[np.int64]
    body: NDArray[np.bool_]
    wick: NDArray[np.bool_]
    """Of every column, as `Columns` has them."""
    colors: NDArray[np.float64]
    """Background, up, down: red, green and blue from 0 to 1, shape (3, 3)."""
    wick_intensity: float
    full_color_px: float
    price_rows: int
    volume_rows: int
    periods: NDArray[np.int64]
    line_colors: NDArray[np.float64]
    """Of the moving averages: periods in candles, shape (lines,); red, green and blue, shape (lines, 3)."""
    lines: LinePlan


class JkxPlan(NamedTuple):
    """What a Jiang-Kelly-Xiu chart knows before it sees a price. `lines` holds one line or none."""

    price_rows: int
    volume_rows: int
    antialias: bool
    lines: LinePlan


def candlestick_plan(
    *,
    candle: Tensor,
    body: Tensor,
    wick: Tensor,
    colors: Tensor,
    line_colors: Tensor,
    wick_intensity: float,
    full_color_px: float,
    areas: Areas,
    periods: tuple[int, ...],
    lines: list[Line],
) -> CandlestickPlan:
    """The plan of one chart; colours are given from 0 to 255."""
    return CandlestickPlan(
        candle=as_array(candle),
        body=as_array(body),
        wick=as_array(wick),
        colors=as_array(colors.double() / 255.0),
        wick_intensity=wick_intensity,
        full_color_px=full_color_px,
        price_rows=areas.price,
        volume_rows=areas.volume,
        periods=np.array(periods, dtype=np.int64),
        line_colors=as_array(line_colors.double() / 255.0),
        lines=LinePlan.of(lines, len(candle)),
    )
