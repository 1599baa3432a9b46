"""Candles with the boxes of chart patterns, drawn to PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triptych.domain import CLOSE, HIGH, LOW, OPEN, CandleSeries, utc
from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes
from triptych.features.chart_patterns import Detection

COLOURS = {1: "#1b7837", -1: "#b2182b", 0: "#2166ac"}
"""Of boxes by side: bullish, bearish, either."""
UP, DOWN = "#26a69a", "#ef5350"
INCHES = (16.0, 7.0)


def draw_detections(series: CandleSeries, found: Sequence[Detection], path: Path) -> Path:
    """Draw a history with its detections: box, turning points, and a mark at the candle where each was known.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    if path.suffix.lower() != ".png":
        raise DataError(f"Cannot draw to {path}.", remedy="Choose a name ending in .png.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=INCHES, dpi=100, layout="constrained")
    axes = figure.add_subplot()
    values, x = series.values, np.arange(len(series))
    rises = values[:, CLOSE] >= values[:, OPEN]
    for chosen, colour in ((rises, UP), (~rises, DOWN)):
        axes.vlines(x[chosen], values[chosen, LOW], values[chosen, HIGH], color=colour, linewidth=0.6)
        low, high = np.sort(values[chosen][:, [OPEN, CLOSE]], axis=1).T
        axes.bar(x[chosen], high - low, bottom=low, width=0.8, color=colour)
    for one in found:
        colour = COLOURS[one.side]
        width, height = one.end - one.start, one.high - one.low
        axes.add_patch(Rectangle((one.start, one.low), width, height, fill=False, edgecolor=colour, linewidth=1.2))
        points = [(point.index, point.price) for point in one.key_points]
        if len(points) > 2:  # a network names no turning points, only the ends
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=0.9, marker="o", markersize=2.5)
        axes.plot([one.known_at], [values[one.known_at, CLOSE]], color=colour, marker="|", markersize=14)
        words = f"{one.pattern.replace('_', ' ')} {one.score:.2f}"
        axes.annotate(words, (one.start, one.high), fontsize=7, color=colour, va="bottom")
    ticks = np.linspace(0, len(series) - 1, 8).round().astype(int)
    axes.set_xticks(ticks, [utc(int(series.open_time_ms[t]))[:16] for t in ticks], fontsize=7)
    axes.set_title(f"{series.symbol} {series.timeframe}, UTC", loc="left", fontsize=10)
    axes.margins(x=0.01)
    FigureCanvasAgg(figure)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", metadata={"Software": None})
    return write_bytes(path, memory.getvalue())
