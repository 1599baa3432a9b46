"""Trades where they happened, on candles; and how their returns are distributed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from triptych.backtest.report.figure import Figure, rounded, safe, times

CANDLES_SHOWN = 2000
CANDLES_AT_FIRST = 160
TRADES_SHOWN = 1000
SYMBOLS_SHOWN = 6


def trade_figures(candles: Mapping[str, pl.DataFrame], trades: pl.DataFrame) -> list[Figure]:
    """For each of the first six symbols the latest candles one by one and, with more of them, the whole period merged.

    Args:
        candles: frame per symbol with time (open time), open, high, low, close.
        trades: frame with TRADE_SCHEMA.
    """
    figures = []
    shown = list(candles)[:SYMBOLS_SHOWN]
    for symbol in shown:
        frame, own = candles[symbol], trades.filter(pl.col("symbol") == symbol)
        several = len(shown) > 1
        latest = frame.tail(CANDLES_SHOWN)
        if latest.height == frame.height:
            note = f"All {frame.height:,} candles."
        else:
            note = f"The latest {latest.height:,} of {frame.height:,} candles, one by one."
        figures.append(_chart(f"{symbol}, latest" if several else "Latest candles", latest, own, note, zoomed=True))
        if latest.height < frame.height:
            merged, factor = _merge(frame)
            note = f"The whole period; each candle drawn stands for {factor} candles."
            figures.append(_chart(f"{symbol}, all" if several else "Whole period", merged, own, note, zoomed=False))
    if figures and len(candles) > SYMBOLS_SHOWN:
        note = f"{figures[0].note} {SYMBOLS_SHOWN} of {len(candles)} instruments are drawn."
        figures[0] = Figure(**{**vars(figures[0]), "note": note})
    return figures


def distribution_figure(trades: pl.DataFrame) -> Figure:
    """Histogram of the trades' returns in per cent; zero is always an edge of a bin."""
    returns = 100 * trades["return"].to_numpy()
    low, high = np.quantile(returns, [0.25, 0.75])
    extent = float(np.ptp(returns))
    width = max(2 * float(high - low) / len(returns) ** (1 / 3), extent / 60, 1e-4)
    first, last = math.floor(returns.min() / width), math.floor(returns.max() / width) + 1
    edges = width * np.arange(first, last + 1)
    counts, _ = np.histogram(returns, edges)
    middles = (edges[:-1] + edges[1:]) / 2
    bars: list[dict[str, Any]] = [
        {
            "type": "bar", "name": name, "x": rounded(middles[chosen]), "y": counts[chosen].tolist(),
            "width": width * 0.94, "marker": {"color": colour}, "hovertemplate": "%{y} trades around %{x:.2f} %",
        }
        for name, chosen, colour in (("Losses", middles < 0, "@loss"), ("Gains", middles > 0, "@profit"))
    ]  # fmt: skip
    mean = float(returns.mean())
    layout = {
        "bargap": 0,
        "xaxis": {"title": {"text": "Return of a trade after costs"}, "ticksuffix": " %"},
        "yaxis": {"title": {"text": "Trades"}},
        "shapes": [
            {
                "type": "line", "xref": "x", "yref": "paper", "x0": mean, "x1": mean, "y0": 0, "y1": 1,
                "line": {"color": "@ink", "width": 1.5, "dash": "dot"},
            }
        ],
    }  # fmt: skip
    note = f"The dotted line is the mean, {mean:.3f} % a trade."
    return Figure(label="Distribution", data=bars, layout=layout, height=320, note=note)


def _merge(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The frame with whole runs of candles merged into one, so that at most CANDLES_SHOWN remain."""
    factor = math.ceil(frame.height / CANDLES_SHOWN)
    merged = (
        frame.with_row_index("row")
        .group_by(pl.col("row") // factor, maintain_order=True)
        .agg(
            pl.col("time", "open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
        )
    )
    return merged, factor


def _chart(label: str, candles: pl.DataFrame, trades: pl.DataFrame, note: str, *, zoomed: bool) -> Figure:
    if candles.height == 0:
        return Figure(label=label, data=[], layout={}, note="No candles.")
    start = candles["time"][0]
    # a trade is drawn when any part of it lies on the candles shown
    trades = trades.filter((pl.col("exit_time") >= start) & (pl.col("entry_time") <= candles["time"][-1]))
    note += f" {trades.height:,} trades." if trades.height != 1 else " One trade."
    if trades.height > TRADES_SHOWN:
        trades = trades.sort(pl.col("profit").abs(), descending=True).head(TRADES_SHOWN).sort("entry_time")
        note += f" Only the {TRADES_SHOWN:,} with the largest profit or loss are marked."
    prices = {name: rounded(candles[name].to_numpy(), 7) for name in ("open", "high", "low", "close")}
    x = times(candles["time"])
    data: list[dict[str, Any]] = [
        {
            "type": "candlestick", "name": "Candles", "x": x, **prices, "showlegend": False,
            "increasing": {"line": {"color": "@rising", "width": 1}, "fillcolor": "@rising"},
            "decreasing": {"line": {"color": "@falling", "width": 1}, "fillcolor": "@falling"},
        }
    ]  # fmt: skip
    data += _paths(trades) + _markers(trades)
    strip = {"visible": True, "thickness": 0.09, "yaxis": {"rangemode": "auto"}}
    axis: dict[str, Any] = {"type": "date", "rangeslider": strip}
    if zoomed and len(x) > CANDLES_AT_FIRST:
        axis["range"] = [x[-CANDLES_AT_FIRST], x[-1]]
    return Figure(
        label=label,
        data=data,
        layout={"xaxis": axis, "yaxis": {"title": {"text": "Price"}, "tickformat": ",.6~r"}, "hovermode": "closest"},
        height=540,
        note=note,
        fit=True,
    )


def _paths(trades: pl.DataFrame) -> list[dict[str, Any]]:
    """A line from entry to exit of every trade: one trace for gains, one for losses."""
    traces = []
    for name, chosen, colour in (
        ("Gain", trades.filter(pl.col("profit") > 0), "@profit"),
        ("Loss", trades.filter(pl.col("profit") <= 0), "@loss"),
    ):
        x: list[str | None] = []
        y: list[float | None] = []
        points = zip(
            times(chosen["entry_time"]),
            rounded(chosen["entry_price"].to_numpy(), 7),
            times(chosen["exit_time"]),
            rounded(chosen["exit_price"].to_numpy(), 7),
            strict=True,
        )
        for entry, bought, leave, sold in points:
            x += [entry, leave, None]
            y += [bought, sold, None]
        traces.append(
            {
                "type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "hoverinfo": "skip",
                "line": {"color": colour, "width": 2, "dash": "dot"},
            }
        )  # fmt: skip
    return traces


def _markers(trades: pl.DataFrame) -> list[dict[str, Any]]:
    """Entries as triangles by side, exits as rings by result, with the trade in words on hovering."""
    texts = [
        f"{row['side']} {row['quantity']:.6g} at {row['entry_price']:.6g}, left at {row['exit_price']:.6g} "
        f"after {row['candles_held']} candles ({safe(row['exit_reason'].replace('_', ' '))}): "
        f"{100 * row['return']:+.2f} %"
        for row in trades.iter_rows(named=True)
    ]
    side, gain = trades["side"].to_list(), (trades["profit"] > 0).to_list()
    groups = (
        ("Long entry", "entry", [one == "long" for one in side], "triangle-up", "@strategy", 8),
        ("Short entry", "entry", [one == "short" for one in side], "triangle-down", "@warning", 8),
        ("Exit with gain", "exit", gain, "circle-open", "@profit", 11),
        ("Exit with loss", "exit", [not one for one in gain], "circle-open", "@loss", 11),
    )
    traces = []
    for name, end, chosen, symbol, colour, size in groups:
        rows = trades.filter(pl.Series(chosen, dtype=pl.Boolean))
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": name, "x": times(rows[f"{end}_time"]),
                "y": rounded(rows[f"{end}_price"].to_numpy(), 7),
                "text": [text for text, wanted in zip(texts, chosen, strict=True) if wanted],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"symbol": symbol, "size": size, "color": colour, "line": {"color": colour, "width": 2}},
            }
        )  # fmt: skip
    return traces
