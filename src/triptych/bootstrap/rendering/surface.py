"""An image as a landscape: the values of a channel as heights, as a wireframe or a shaded surface."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych.bootstrap.rendering.colouring import TWO_SIDES

Surface = Literal["wireframe", "shaded"]
MOST_LINES = 96
"""Lines along each axis; more of them run together."""


def draw_surface(pixels: NDArray[np.uint8], *, kind: Surface, colors: str, title: str) -> NDArray[np.uint8]:
    """Draw an image as a landscape.

    Args:
        pixels: uint8 of shape (height, width, channels); a landscape for each channel, side by side.
        kind: lines only, or a lit surface.
        colors: colour map of the heights.
        title: above the drawing.

    Returns:
        uint8 of shape (picture height, picture width, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width, channels = pixels.shape
    figure = Figure(figsize=(6.4 * channels, 5.0), dpi=110, facecolor="#121418", layout="constrained")
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    lines = {"rcount": MOST_LINES, "ccount": MOST_LINES}
    for channel in range(channels):
        place = figure.add_subplot(1, channels, channel + 1, projection="3d", facecolor="#121418")
        z = pixels[..., channel] / 255.0
        if kind == "wireframe":
            place.plot_wireframe(x, y, z, linewidth=0.4, color="#7dd3c0", **lines)
        else:
            shown = "viridis" if colors in (TWO_SIDES, "gray") else colors
            place.plot_surface(x, y, z, cmap=shown, vmin=0, vmax=1, linewidth=0, antialiased=False, **lines)
        place.set_zlim(0, 1)
        place.set_box_aspect((1, height / width, 0.35))
        place.view_init(elev=42, azim=-60)
        place.invert_yaxis()
        for axis in (place.xaxis, place.yaxis, place.zaxis):
            axis.set_pane_color((0.1, 0.11, 0.13, 1.0))
        place.tick_params(colors="#9299a3", labelsize=7)
        place.set_title(title if channel == 0 else "", color="#e2e5e9", fontsize=10)
    canvas = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call]
    return np.asarray(Image.open(buffer).convert("RGB"))
