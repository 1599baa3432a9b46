"""A figure as plain data for plotly.js, and the helpers all figures share.

Colours are named, not given: `@profit` or `@profit/30` (30 % opaque) stand for the variables of `report.css`, and
`report.js` puts in the values of the theme in use, so that a switch of theme re-colours every plot.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One plot.

    Attributes:
        label: name on its tab where several share a place.
        data, layout: as plotly.js takes them.
        height: in CSS pixels on a wide screen.
        note: a sentence on what is shown and what is not.
        fit: whether the price axis follows when the time axis is zoomed.
    """

    label: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int = 380
    note: str = ""
    fit: bool = False

    def spec(self) -> dict[str, Any]:
        """What `report.js` reads."""
        return {"data": self.data, "layout": self.layout, "fit": self.fit}


def safe(text: str) -> str:
    """Text for plotly.js, which reads some HTML in labels: angle brackets must stay what they are."""
    return html.escape(text, quote=False)


def times(values: pl.Series) -> list[str]:
    """UTC times as plotly.js reads them; midnight is left out where every time has it."""
    text = values.dt.strftime("%Y-%m-%d %H:%M")
    return text.str.strip_suffix(" 00:00").to_list() if text.str.ends_with(" 00:00").all() else text.to_list()


def rounded(values: NDArray[np.floating], digits: int = 6) -> list[float | None]:
    """Numbers with so many significant digits; what is not a number becomes None."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values]


def value_axis(columns: list[NDArray[np.floating]], title: str) -> dict[str, Any]:
    """An axis for money: logarithmic where the curves grow or shrink more than eightfold."""
    low, high = min(float(column.min()) for column in columns), max(float(column.max()) for column in columns)
    axis: dict[str, Any] = {"title": {"text": title}, "tickformat": ",.6~r"}
    if low > 0 and high > 8 * low:
        axis |= {"type": "log", "dtick": 1 if high > 1000 * low else "D2", "title": {"text": f"{title} (log scale)"}}
    return axis


def thinned(columns: list[NDArray[np.floating]], buckets: int = 400) -> NDArray[np.int64]:
    """Rows that draw curves of shape (n,) as if all were drawn: ends and extremes of each of `buckets` stretches."""
    n = len(columns[0])
    if n <= 4 * buckets:
        return np.arange(n)
    edges = np.linspace(0, n, buckets + 1).astype(np.int64)
    kept = [edges[:-1], edges[1:] - 1]
    for column in columns:
        kept.append(np.array([a + np.argmin(column[a:b]) for a, b in pairwise(edges)]))
        kept.append(np.array([a + np.argmax(column[a:b]) for a, b in pairwise(edges)]))
    return np.unique(np.concatenate(kept)).astype(np.int64)
