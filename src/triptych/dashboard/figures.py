"""Charts as Plotly figures, plain dictionaries drawn from twins.

Backgrounds are clear, and text and grid take their colours from the style sheet, so one figure serves light and dark;
colours of lines and marks are of middle brightness and can be told from both backgrounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from triptych.dashboard.words import price, quantity, stamp

RISING, FALLING = "#3f9f86", "#c96a62"
BOUGHT, SOLD = "#2f7df6", "#d9792b"
STOP, TARGET, ENTRY, EQUITY = "#e5484d", "#2f9e6e", "#7b8698", "#4f7fe8"
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
CONFIG: Final = {"displayModeBar": False, "responsive": True, "scrollZoom": False, "doubleClick": "reset"}
LEAST_SLOTS: Final = 60
"""Candles that the chart has room for at least: a few at the start are not drawn as wide as the screen."""


def candle_figure(chart: Mapping[str, Any]) -> dict[str, Any]:
    """Candles with the trades, and the stop as it lay and as it lies at the venue now."""
    rows: Sequence[Sequence[float]] = chart["candles"]
    times = [stamp(row[0]) for row in rows]
    data: list[dict[str, Any]] = [
        {
            "type": "candlestick", "name": chart["symbol"], "x": times, "showlegend": False,
            **{name: [row[i] for row in rows] for i, name in enumerate(("open", "high", "low", "close"), start=1)},
            "increasing": {"line": {"color": RISING, "width": 1.2}, "fillcolor": RISING},
            "decreasing": {"line": {"color": FALLING, "width": 1.2}, "fillcolor": FALLING},
            "whiskerwidth": 0, "hoverlabel": {"split": False},
        },
        _stops(chart["stops"]),
        _fills(chart["fills"], "buy", "bought", BOUGHT, "triangle-up"),
        _fills(chart["fills"], "sell", "sold", SOLD, "triangle-down"),
    ]  # fmt: skip
    lines = [
        (chart["venue_stop"], STOP, "dash", "stop at the venue"), (chart["venue_target"], TARGET, "dash", "target"),
        (chart["entry"], ENTRY, "dot", "entry"),
    ]  # fmt: skip
    shapes, notes = [], []
    for level, color, dash, words in lines:
        if level is not None:
            shapes.append({
                "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level,
                "line": {"color": color, "width": 1.4, "dash": dash},
            })  # fmt: skip
            notes.append({
                "xref": "paper", "x": 0, "y": level, "xanchor": "left", "yanchor": "bottom", "showarrow": False,
                "text": f"{words} {price(level)}", "font": {"size": 11, "color": color},
            })  # fmt: skip
    layout = _layout(f"candles {chart['symbol']}")
    layout |= {"shapes": shapes, "annotations": notes, "hovermode": "x"}
    if rows and chart["step_ms"]:
        end = rows[-1][0] + 3 * chart["step_ms"]
        start = min(rows[0][0] - chart["step_ms"], end - LEAST_SLOTS * chart["step_ms"])
        layout["xaxis"]["range"] = [stamp(start), stamp(end)]
        layout["yaxis"]["range"] = _reach(rows, [level for level, *_ in lines if level is not None])
    return {"data": data, "layout": layout, "config": CONFIG}


def _reach(rows: Sequence[Sequence[float]], levels: Sequence[float]) -> list[float]:
    """All candles, and levels that are not too far away: one far off would press the candles flat."""
    low, high = min(row[3] for row in rows), max(row[2] for row in rows)
    span = (high - low) or abs(high) * 0.01
    near = [level for level in levels if low - span <= level <= high + span]
    low, high = min([low, *near]), max([high, *near])
    return [low - 0.07 * (high - low or span), high + 0.07 * (high - low or span)]


def equity_figure(points: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Equity after each decision, quote currency."""
    data = [{
        "type": "scatter", "mode": "lines", "name": "equity", "x": [stamp(time_ms) for time_ms, _ in points],
        "y": [value for _, value in points], "line": {"color": EQUITY, "width": 2}, "hovertemplate": "%{y:,.2f}",
        "showlegend": False,
    }]  # fmt: skip
    layout = _layout("equity")
    layout["yaxis"] |= {"tickformat": ",.0f" if _is_wide(points) else ",.2f"}
    if points:
        layout["shapes"] = [{
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": points[0][1], "y1": points[0][1],
            "line": {"color": ENTRY, "width": 1, "dash": "dot"},
        }]  # fmt: skip
    return {"data": data, "layout": layout, "config": CONFIG}


def _is_wide(points: Sequence[Sequence[float]]) -> bool:
    values = [value for _, value in points]
    return bool(values) and max(values) - min(values) > 20


def _stops(stops: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The stop as it should have lain, in steps; no line while there was none."""
    times: list[str] = []
    levels: list[float | None] = []
    for time_ms, level in stops:
        if levels and levels[-1] is not None and level != levels[-1]:
            # To the end of the level, then a gap: a stop that moves is somewhere else, and nowhere in between.
            times += [stamp(time_ms), stamp(time_ms)]
            levels += [levels[-1], None]
        times.append(stamp(time_ms))
        levels.append(level)
    return {
        "type": "scatter", "mode": "lines", "name": "stop", "x": times, "y": levels, "connectgaps": False,
        "line": {"color": STOP, "width": 1.3, "shape": "linear"}, "opacity": 0.8, "hovertemplate": "stop %{y}",
        "showlegend": any(level is not None for _, level in stops),
    }  # fmt: skip


def _fills(fills: Sequence[Mapping[str, Any]], side: str, word: str, color: str, symbol: str) -> dict[str, Any]:
    mine = [fill for fill in fills if fill["side"] == side]
    words = [f"{word} {quantity(f['quantity'])} at {price(f['price'])}" + _why(f["reason"]) for f in mine]
    return {
        "type": "scatter", "mode": "markers", "name": word, "x": [stamp(fill["time_ms"]) for fill in mine],
        "y": [fill["price"] for fill in mine], "text": words, "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": color, "size": 12, "symbol": symbol, "line": {"color": "#ffffff", "width": 1}},
        "showlegend": bool(mine),
    }  # fmt: skip


def _why(reason: str) -> str:
    return "" if reason == "order" else f" ({reason.replace('_', ' ')})"


def _layout(revision: str) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "showgrid": True, "gridcolor": "#8884", "zeroline": False, "showline": False, "automargin": False,
        "ticks": "", "fixedrange": True,
    }  # fmt: skip
    return {
        "autosize": True, "margin": {"l": 8, "r": 54, "t": 28, "b": 38, "pad": 0}, "uirevision": revision,
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "font": {"family": FONT, "size": 11.5},
        "dragmode": "pan", "hoverlabel": {"font": {"family": FONT, "size": 12}},
        "xaxis": {**axis, "type": "date", "rangeslider": {"visible": False}, "showgrid": False, "fixedrange": False,
                  "nticks": 7},
        "yaxis": {**axis, "side": "right", "tickformat": ",~g", "nticks": 6},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
    }  # fmt: skip
