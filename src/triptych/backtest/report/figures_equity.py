"""Equity against buy-and-hold with the drawdown beneath, and what costs took from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from triptych.backtest.report.figure import Figure, rounded, safe, thinned, times, value_axis
from triptych.domain import utc


def equity_figure(equity: pl.DataFrame, initial_capital: float, boundaries: Sequence[Mapping[str, Any]] = ()) -> Figure:
    """Strategy and buy-and-hold in quote currency; beneath, how far each stands below its last peak in per cent."""
    own, market = equity["equity"].to_numpy(), equity["benchmark"].to_numpy()
    rows = thinned([own, market])
    x = times(equity["time"][rows])
    curves: list[dict[str, Any]] = []
    for name, values, colour, width in (
        ("Buy and hold", market, "@benchmark", 1.4),
        ("Strategy", own, "@strategy", 2.2),
    ):
        line = {"color": colour, "width": width}
        curves.append(
            {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": rounded(values[rows]), "line": line}
        )
        peaks = np.maximum(np.maximum.accumulate(values), initial_capital)
        fall = 100 * (values / peaks - 1)
        filled = {"fill": "tozeroy", "fillcolor": "@strategy/18"} if name == "Strategy" else {}
        curves.append(
            {
                "type": "scatter", "mode": "lines", "name": f"{name}, drawdown", "x": x, "y": rounded(fall[rows], 4),
                "yaxis": "y2", "showlegend": False, "line": line | {"width": width * 0.7}, **filled,
                "hovertemplate": "%{y:.1f} %",
            }
        )  # fmt: skip
    layout = {
        "hovermode": "x unified",
        "xaxis": {"anchor": "y2", "type": "date"},
        "yaxis": {"domain": [0.36, 1.0], **value_axis([own, market], "Equity")},
        "yaxis2": {"domain": [0.0, 0.28], "title": {"text": "Drawdown"}, "ticksuffix": " %"},
        **_marks(boundaries),
    }
    note = f"Both start with {initial_capital:,.0f} and pay the same costs."
    if len(rows) < equity.height:
        note += f" Drawn from {equity.height:,} candles; every high and low is kept."
    return Figure(label="Equity", data=curves, layout=layout, height=520, note=note)


def costs_figure(equity: pl.DataFrame) -> Figure:
    """Equity as it was, and with all costs added back."""
    own = equity["equity"].to_numpy()
    paid = (equity["fees"] + equity["spread_slippage"] + equity["funding"]).to_numpy()
    before = own + paid
    rows = thinned([own, before])
    x = times(equity["time"][rows])
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": "After costs", "x": x, "y": rounded(own[rows]),
            "line": {"color": "@strategy", "width": 2.2},
        },
        {
            "type": "scatter", "mode": "lines", "name": "Before costs", "x": x, "y": rounded(before[rows]),
            "line": {"color": "@warning", "width": 1.4, "dash": "dot"}, "fill": "tonexty", "fillcolor": "@warning/14",
        },
    ]  # fmt: skip
    layout = {
        "hovermode": "x unified",
        "xaxis": {"type": "date"},
        "yaxis": value_axis([own, before], "Equity"),
    }
    note = "The shaded gap is what fees, spread, slippage and funding took, without reinvesting it."
    return Figure(label="Costs", data=data, layout=layout, height=340, note=note)


def _marks(boundaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Vertical lines where test or folds begin, named at the top."""
    shapes = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": utc(int(mark["time_ms"])),
            "x1": utc(int(mark["time_ms"])), "y0": 0, "y1": 1, "line": {"color": "@muted", "width": 1, "dash": "dash"},
        }
        for mark in boundaries
    ]  # fmt: skip
    annotations = [
        {
            "xref": "x", "yref": "paper", "x": utc(int(mark["time_ms"])), "y": 1, "yanchor": "top", "xanchor": "left",
            "text": safe(str(mark["label"])), "showarrow": False, "font": {"size": 11, "color": "@muted"}, "xshift": 4,
        }
        for mark in boundaries
    ]  # fmt: skip
    return {"shapes": shapes, "annotations": annotations}
