"""Candles with the boxes of chart patterns, drawn to PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triptych.domain import CLOSE, HIGH, LOW, OPEN, CandleSeries, utc
from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes
from triptych.features.chart_patterns import Detection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {1: "#1b7837", -1: "#b2182b", 0: "#2166ac"}
"""Of boxes by side: bullish, bearish, either."""
UP, DOWN = "#26a69a", "#ef5350"
INCHES = (16.0, 7.0)
CHART = (0.05, 0.07, 0.79, 0.87)
"""Left, bottom, width and height of the chart as shares of the figure; the names of the boxes stand on its right."""
NUMBER = (16.0, 12.0)
"""Width and height that a box's number takes, pixels."""
MOST_NAMES = 58
"""Lines of the list; further boxes have numbers alone."""


def draw_detections(series: CandleSeries, found: Sequence[Detection], path: Path) -> Path:
    """Draw a history with its detections: box, turning points, and a mark at the candle where each was known.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    if path.suffix.lower() != ".png":
        raise DataError(f"Cannot draw to {path}.", remedy="Choose a name ending in .png.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=INCHES, dpi=100)
    axes = figure.add_axes(CHART)
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
        axes.plot([one.end, one.known_at], [one.low, one.low], color=colour, linewidth=0.9, linestyle=":")
        axes.plot([one.known_at], [one.low], color=colour, marker="|", markersize=10)
    ticks = np.linspace(0, len(series) - 1, 8).round().astype(int)
    axes.set_xticks(ticks, [utc(int(series.open_time_ms[t]))[:16] for t in ticks], fontsize=7)
    axes.set_title(f"{series.symbol} {series.timeframe}, UTC", loc="left", fontsize=10)
    axes.margins(x=0.01)
    FigureCanvasAgg(figure)
    _name_boxes(figure, axes, found)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", metadata={"Software": None})
    return write_bytes(path, memory.getvalue())


def _name_boxes(figure: Figure, axes: Axes, found: Sequence[Detection]) -> None:
    """Each box's number at its upper edge, or its lower one, where no other number stands, and a list of the names."""
    figure.draw_without_rendering()
    taken: list[tuple[float, float]] = []
    for number, one in enumerate(found, start=1):
        x, y = _free_place(axes, one, taken)
        taken.append((x, y))
        at, price = axes.transData.inverted().transform((x, y)).tolist()
        axes.text(
            at, price, str(number), fontsize=7, color="white", ha="center",
            va="center", bbox={"boxstyle": "round,pad=0.2", "facecolor": COLOURS[one.side], "edgecolor": "none"},
        )  # fmt: skip
        if number <= MOST_NAMES:
            words = f"{number}  {one.pattern.replace('_', ' ')} {one.score:.2f}"
            height = CHART[1] + CHART[3] - number * CHART[3] / MOST_NAMES
            figure.text(CHART[0] + CHART[2] + 0.01, height, words, fontsize=7, color=COLOURS[one.side])


def _free_place(axes: Axes, one: Detection, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where a number may stand, in pixels: the first place along the box's edges, then above, that is free."""
    left, low = axes.transData.transform((one.start, one.low)).tolist()
    right, high = axes.transData.transform((one.end, one.high)).tolist()
    width, height = NUMBER
    along = np.arange(left, max(right, left + 1.0), width)
    places = [(float(x), y) for y in (high, low) for x in along]
    places += [(left, high + step * height) for step in range(1, 60)]

    def free(place: tuple[float, float]) -> bool:
        return all(abs(place[0] - x) >= width or abs(place[1] - y) >= height for x, y in taken)

    return next(filter(free, places), (left, high))
