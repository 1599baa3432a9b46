"""Explanations as pictures: heat over the image, the candles beneath, prices, factors or bands beside."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.backtest.report.pictures import pixels
from triptych.bootstrap.explaining import ExplainedDecision
from triptych.domain import CLASSES, HIGH, LOW, OPEN, utc
from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes
from triptych.inference.explain import AxisImportance, Explanation

FOR, AGAINST = np.array([0.05, 0.75, 0.35]), np.array([0.90, 0.15, 0.55])
"""Colours of what speaks for the class and against it."""
DIM = 0.55
"""How bright the image itself is under the heat."""
NAMED = 14
"""Factors that are named."""
WORDS = {"price": "price", "factor": "factor", "frequency": "candles a swing", "level": "row"}


def overlay(explanation: Explanation) -> NDArray[np.float64]:
    """Heat over the image: green for the class, magenta against it; float64 of shape (3, height, width) in [0, 1].

    Full colour is the 99th percentile of absolute heat, so that one pixel does not hide the others.
    """
    grey = pixels(_shown(explanation)).astype(np.float64).transpose(2, 0, 1).mean(axis=0) / 255.0
    heat = explanation.heat
    full = float(np.quantile(np.abs(heat), 0.99)) or float(np.abs(heat).max()) or 1.0
    strength = np.clip(heat / full, -1.0, 1.0)
    share = np.abs(strength) ** 0.7
    colour = np.where(strength >= 0, FOR[:, None, None], AGAINST[:, None, None])
    found: NDArray[np.float64] = np.clip((1.0 - share) * DIM * grey + share * (0.35 * grey + colour), 0.0, 1.0)
    return found


def side_by_side(explanation: Explanation) -> NDArray[np.float64]:
    """The image and beside it the same with heat, shape (3, height, 2 width + gap)."""
    image = pixels(_shown(explanation)).astype(np.float64).transpose(2, 0, 1) / 255.0
    gap = np.full((3, image.shape[1], max(2, image.shape[2] // 32)), 0.5)
    return np.concatenate([image, gap, overlay(explanation)], axis=2)


def draw_explanation(decision: ExplainedDecision, path: Path) -> Path:
    """Draw an explanation to a PNG file.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    one = decision.explanation
    figure = new_figure(path, width=14.0, height=9.0)
    grid = figure.add_gridspec(2, 3, height_ratios=(1.25, 1.0), width_ratios=(1.0, 1.0, 0.7))
    draw_image_and_heat([figure.add_subplot(grid[0, place]) for place in (0, 1)], one)
    draw_axis(figure.add_subplot(grid[0, 2]), one)
    draw_candles(figure.add_subplot(grid[1, :]), decision)
    said = ", ".join(f"{name} {p:.1%}" for name, p in zip(CLASSES, one.probabilities, strict=True))
    figure.suptitle(f"{decision.symbol} {utc(decision.time_ms)} UTC: {said}. Explained: {one.target}.", fontsize=12)
    return save_figure(figure, path)


def new_figure(path: Path, *, width: float, height: float) -> Any:
    """An empty matplotlib figure of so many inches. Raises DataError unless the file's name ends in .png."""
    if path.suffix.lower() != ".png":
        raise DataError(f"Cannot draw to {path}.", remedy="Choose a name ending in .png.")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure, the same bytes every time. Raises StorageError when the disk refuses."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", metadata={"Software": None})
    return write_bytes(path, memory.getvalue())


def draw_image_and_heat(places: Sequence[Any], one: Explanation, head: str = "") -> None:
    """Fill two matplotlib axes with the image and the same under its heat."""
    shown: tuple[tuple[Any, str], ...] = (
        (pixels(_shown(one)), f"{head}what the network saw"),
        (overlay(one).transpose(1, 2, 0), _method_words(one)),
    )
    for axes, (picture, title) in zip(places, shown, strict=True):
        axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])


def _method_words(one: Explanation) -> str:
    name = one.method.replace("_", " ")
    if "layer" in one.facts:
        return f"{name}, layer {one.facts['layer']}"
    said = f"{name}: green for {one.target}, magenta against"
    if one.shortfall:
        said += f"\nincomplete: shares sum to {one.facts['sum']:+.3f} of {one.facts['difference']:+.3f}"
    return said


def _shown(one: Explanation) -> NDArray[np.float32]:
    """The image of one, three or, of any other number of channels, their mean: heat has one place for all of them."""
    image = np.clip(one.picture, 0.0, 1.0)
    return image if len(image) in (1, 3) else image.mean(axis=0, keepdims=True)


def _colours(values: NDArray[np.float64]) -> list[Any]:
    return [tuple(FOR) if value >= 0 else tuple(AGAINST) for value in values]


def draw_axis(axes: Any, one: Explanation) -> None:
    """Fill matplotlib axes with the importance of prices, factors or frequencies."""
    if not one.axes:
        axes.set_axis_off()
        axes.text(0.0, 0.5, "Every pixel compares two candles:\nit has no price or band of its own.", fontsize=9)
        return
    axis = one.axes[0]
    names, values = _rows(axis)
    axes.barh(np.arange(len(values)), values, height=0.9, color=_colours(values))
    step = max(1, len(names) // NAMED)
    first = len(names) - axis.areas
    named = [*range(0, first - (step // 2 if axis.areas else 0), step), *range(first, len(names))]
    axes.set_yticks(named, [names[i] for i in named], fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0.0, color="black", linewidth=0.5)
    axes.set_title(f"importance by {WORDS[axis.kind]}{_areas_words(axis)}", loc="left", fontsize=10)
    axes.tick_params(axis="x", labelsize=7)


def _areas_words(axis: AxisImportance) -> str:
    """How much lies in areas beside the prices, and elsewhere; empty where there is nothing of the kind."""
    said = [f"{part.name} {part.share:.0%}" for part in axis.area_parts()]
    if axis.outside:
        said.append(f"elsewhere {axis.shares[-1]:.0%}")
    return f"\n{', '.join(said)} of all" if said else ""


def _rows(axis: AxisImportance) -> tuple[list[str], NDArray[np.float64]]:
    """Rows in the order of the image; of factors, whose order says nothing, those that matter most."""
    if axis.kind != "factor":
        return list(axis.names), axis.values
    leading = axis.leading(NAMED)
    return [name for name, _ in leading], np.array([value for _, value in leading])


def draw_candles(axes: Any, decision: ExplainedDecision, times: int = 8) -> None:
    """Fill matplotlib axes with the candles of the window and the importance of each; so many times are written."""
    window, x = decision.window, np.arange(len(decision.window))
    values = window.values
    axes.vlines(x, values[:, LOW], values[:, HIGH], color="#555555", linewidth=0.8, zorder=2)
    bottom, top = np.sort(values[:, [OPEN, OPEN + 3]], axis=1).T
    rises = window.close >= values[:, OPEN]
    face = np.where(rises, "#26a69a", "#ef5350")
    axes.bar(x, np.maximum(top - bottom, 1e-12), bottom=bottom, width=0.7, color=face, zorder=3)
    ticks = np.linspace(0, len(window) - 1, min(times, len(window))).round().astype(int)
    axes.set_xticks(ticks, [utc(int(window.open_time_ms[t]))[5:16] for t in ticks], fontsize=7)
    axes.set_title("importance by candle (bars), and the candles of the window", loc="left", fontsize=10)
    axes.margins(x=0.01)
    importance = decision.explanation.by_candle
    if importance is None:
        return
    beside = axes.twinx()
    beside.bar(x, importance, width=0.95, color=_colours(importance), alpha=0.45, zorder=1)
    most = float(np.abs(importance).max()) or 1.0
    beside.set_ylim(-1.6 * most, 1.6 * most)
    beside.tick_params(labelsize=7)
    axes.set_zorder(beside.get_zorder() + 1)
    axes.patch.set_visible(False)
