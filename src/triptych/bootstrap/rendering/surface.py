"""An image as a landscape: the values of a channel as heights, as a wireframe or a shaded surface."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych.bootstrap.rendering.colouring import palette_of
from triptych.bootstrap.rendering.ticks import Ticks

Surface = Literal["wireframe", "shaded"]
WIRES, PATCHES = 64, 128
"""Lines, or lit patches, along each axis; of a larger image each is the average of a block."""


def draw_surface(
    pixels: NDArray[np.uint8],
    *,
    kind: Surface,
    colors: str | None,
    title: str,
    axes: tuple[str, str, str],
    panels: Sequence[str] = (),
    ticks: tuple[Ticks, Ticks] = ((), ()),
) -> NDArray[np.uint8]:
    """Draw an image as a landscape; of several channels all stand on one scale of heights.

    Args:
        pixels: uint8 of shape (height, width, channels); a landscape for each channel, side by side.
        kind: lines only, or a lit surface.
        colors: colour map of the heights; None for viridis.
        title: above the drawing.
        axes: names of columns, rows and heights.
        panels: what each channel shows; empty: nothing is written above it.
        ticks: what stands at places along the columns and the rows; empty: the numbers of the pixels.

    Returns:
        uint8 of shape (picture height, picture width, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LightSource
    from matplotlib.figure import Figure

    height, width, channels = pixels.shape
    figure = Figure(figsize=(6.4 * channels, 5.0), dpi=110, facecolor="#121418", layout="constrained")
    figure.suptitle(title, color="#e2e5e9", fontsize=10)
    palette = palette_of(colors or "viridis")
    low, high = float(pixels.min()) / 255.0, float(pixels.max()) / 255.0
    for channel in range(channels):
        place = figure.add_subplot(1, channels, channel + 1, projection="3d", facecolor="#121418")
        x, y, z = _blocks(pixels[..., channel] / 255.0, WIRES if kind == "wireframe" else PATCHES)
        if kind == "wireframe":
            place.plot_wireframe(x, y, z, linewidth=0.6, color="#7dd3c0", rstride=1, cstride=1)
        else:
            level = np.rint(255 * z).astype(np.uint8)
            lit = np.repeat(level[..., None], 3, axis=-1) if palette is None else palette[level]
            # Matplotlib shades only what comes without a colour map of its own.
            place.plot_surface(
                x, y, z, facecolors=lit / 255.0, shade=True, lightsource=LightSource(azdeg=300, altdeg=45),
                linewidth=0, antialiased=False, rstride=1, cstride=1,
            )  # fmt: skip
        place.grid(False)
        place.set_box_aspect((1, height / width, 0.35))
        place.view_init(elev=42, azim=-60)
        place.invert_yaxis()
        for axis in (place.xaxis, place.yaxis, place.zaxis):
            axis.set_pane_color((0.1, 0.11, 0.13, 1.0))
        place.tick_params(colors="#9299a3", labelsize=7)
        for name, label in zip("xyz", axes, strict=True):
            getattr(place, f"set_{name}label")(label, color="#9299a3", fontsize=8, labelpad=10)
        for name, marks in zip("xy", ticks, strict=True):
            if marks:
                getattr(place, f"set_{name}ticks")([at for at, _ in marks], [text for _, text in marks], fontsize=6)
        place.set_zlim(low, max(high, low + 1e-3))
        if panels:
            place.set_title(panels[channel], color="#e2e5e9", fontsize=9)
    canvas = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call]
    return np.asarray(Image.open(buffer).convert("RGB"))


def _blocks(z: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Columns, rows and values of the averages of blocks, at most `most` of them along each axis."""
    middles = []
    for axis in (0, 1):
        edges = np.arange(0, z.shape[axis], -(-z.shape[axis] // most))
        counts = np.diff([*edges, z.shape[axis]])
        z = np.add.reduceat(z, edges, axis=axis) / counts.reshape((-1, 1) if axis == 0 else (1, -1))
        middles.append(edges + (counts - 1) / 2)
    x, y = np.meshgrid(middles[1], middles[0])
    return x, y, z
