"""Pictures of order books as PNG: depth over time with its walls, and metrics beside their baselines."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triptych.domain import utc
from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes
from triptych.market.books import BookTape
from triptych.market.books.walls import Wall

ENDINGS = {"filled": "#d62728", "pulled": "#1f77b4", "out of sight": "#7f7f7f", "cut off": "#bcbd22"}
"""Colour of a wall by what became of it."""
SERIES = {"network": "#1f77b4", "queue imbalance": "#ff7f0e", "majority": "#7f7f7f"}


def draw_walls(tape: BookTape, walls: Sequence[Wall], path: Path, *, rows: int = 600, height: int = 160) -> Path:
    """Draw the last `rows` books as a depth chart with the walls that stood in them.

    Prices are rows of the picture, darkness the logarithm of what rests there.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    _require_png(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    first = max(0, len(tape) - rows)
    part = tape.between(first, len(tape))
    seconds = (part.time_ms - part.time_ms[0]) / 1000.0
    low, high = _range(part)
    image = np.zeros((height, len(part)))
    for prices, sizes in ((part.bid_prices, part.bid_sizes), (part.ask_prices, part.ask_sizes)):
        row, level = np.nonzero((prices >= low) & (prices <= high))
        place = ((prices[row, level] - low) / (high - low) * (height - 1)).round().astype(int)
        np.add.at(image, (place, row), sizes[row, level])
    figure = Figure(figsize=(10.0, 4.6), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(
        np.log1p(image / max(float(np.median(image[image > 0])), 1e-12)), origin="lower", aspect="auto", cmap="Greys",
        extent=(float(seconds[0]), float(seconds[-1]), low, high), interpolation="nearest",
    )  # fmt: skip
    axes.plot(seconds, part.mid, color="black", linewidth=0.9)
    for wall in walls:
        if wall.last >= first and low <= wall.price <= high:
            ends = [seconds[max(wall.first - first, 0)], seconds[wall.last - first]]
            axes.plot(ends, [wall.price, wall.price], color=ENDINGS[wall.ending], linewidth=1.6)
    axes.legend(
        handles=[Line2D([], [], color=colour, label=ending) for ending, colour in ENDINGS.items()], loc="upper left",
        fontsize=8, framealpha=0.8,
    )  # fmt: skip
    axes.set(xlabel=f"seconds after {utc(int(part.time_ms[0]))} UTC", ylabel="price", title=f"{tape.symbol}: walls")
    axes.ticklabel_format(axis="y", useOffset=False)
    return _write(figure, path, FigureCanvasAgg)


def draw_scores(results: dict[str, dict[str, Any]], path: Path) -> Path:
    """Draw MCC and macro F1 of runs with their intervals, beside queue imbalance and the majority class.

    Args:
        results: what `train_books` gave, by the name to show.
        path: a PNG file.

    Raises as `draw_walls`.
    """
    _require_png(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 1.2 + 0.9 * len(results)), dpi=100, layout="constrained")
    for axes, (metric, words) in zip(
        figure.subplots(1, 2, sharey=True), (("mcc", "MCC"), ("macro_f1", "macro F1")), strict=True
    ):
        for place, result in enumerate(results.values()):
            for shift, (name, colour) in zip((-0.22, 0.0, 0.22), SERIES.items(), strict=True):
                one = result["scores"]["metrics"][name][metric]
                axes.plot([one["low"], one["high"]], [place + shift] * 2, color=colour, linewidth=2)
                axes.plot(one["value"], place + shift, "o", color=colour, label=name if place == 0 else None)
        axes.set_title(words)
        axes.set_yticks(range(len(results)), list(results))
        axes.grid(axis="x", alpha=0.3)
    figure.axes[0].axvline(0.0, color="black", linewidth=0.8)
    figure.axes[0].invert_yaxis()
    figure.axes[1].legend(fontsize=8, loc="best")
    return _write(figure, path, FigureCanvasAgg)


def _range(tape: BookTape) -> tuple[float, float]:
    """Prices that are shown: where most of the levels lie."""
    prices = np.concatenate([tape.bid_prices, tape.ask_prices], axis=1)
    low, high = (float(one) for one in np.nanquantile(prices, [0.02, 0.98]))
    return low, high if high > low else low + 1.0


def _require_png(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise DataError(f"Cannot draw to {path}.", remedy="Choose a name ending in .png.")


def _write(figure: Any, path: Path, canvas: Any) -> Path:
    buffer = io.BytesIO()
    canvas(figure).print_png(buffer)
    return write_bytes(path, buffer.getvalue())
