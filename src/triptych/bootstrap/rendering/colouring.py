"""From the values of an image to the colours of a picture.

One channel goes through a colour map and stays one byte a pixel with a palette; three channels are red, green and blue,
or layers; two of them, where they are two sides, are green and red; any other number stands side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import RecipeError

Channels = Literal["auto", "tiles"]
"""How several channels become one picture: by their number, or always side by side."""
TWO_SIDES: Final = "sides"
"""Name of the colouring that draws two channels as green and red."""
LAYERS: Final = "layers"
"""Name of the colouring that draws three channels as a drawing over two grounds, which must not hide it."""
_GREEN, _RED = np.array([38.0, 214.0, 130.0]), np.array([255.0, 72.0, 84.0])
_LAYERS = np.array([[255.0, 255.0, 255.0], [0.0, 105.0, 60.0], [40.0, 30.0, 110.0]])
_GAP_GREY = 40

BOOK: Final = "book"
"""Name of a colour map of ours: asks red below the middle, bids green above it, black where they are even."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Painted:
    """Pictures of a batch.

    Attributes:
        pixels: uint8 of shape (batch, height, width), or (batch, height, width, 3) for red, green, blue.
        palette: uint8 of shape (256, 3): colours of one-channel pixels; None for grey or for three channels.
    """

    pixels: NDArray[np.uint8]
    palette: NDArray[np.uint8] | None

    def rgb(self) -> NDArray[np.uint8]:
        """The pictures as uint8 of shape (batch, height, width, 3)."""
        if self.pixels.ndim == 4:
            return self.pixels
        if self.palette is None:
            return np.repeat(self.pixels[..., None], 3, axis=-1)
        return self.palette[self.pixels]


def paint(
    pixels: NDArray[np.uint8], *, colors: str, channels: Channels = "auto", gap: int = 0, scale: int = 1
) -> Painted:
    """Colour a batch of images.

    Args:
        pixels: uint8 of shape (batch, height, width, channels), 0 and 255 being the ends of the encoding's range.
        colors: a colour map of matplotlib, `gray`, `sides` for two channels that are green and red, or `layers` for
            three: the first in white over dim green and dim blue.
        channels: `auto`, or `tiles` to show every channel by itself, side by side. Of an image one row high with
            more than three channels, each is a row: a sequence is seen as factors by time.
        gap: columns of grey between tiles.
        scale: every pixel becomes a square of this side.

    Raises RecipeError for an unknown colour map.
    """
    if pixels.shape[1] == 1 and pixels.shape[-1] > 3 and channels == "auto":
        pixels = pixels.transpose(0, 3, 2, 1)
    count = pixels.shape[-1]
    palette = palette_of("viridis" if colors in (TWO_SIDES, LAYERS) else colors)
    if count == 1:
        return Painted(pixels=_enlarge(pixels[..., 0], scale), palette=palette)
    if channels == "auto" and count == 3 and colors == LAYERS:
        drawing = pixels[..., :1] / 255.0
        ground = pixels[..., 1:2] * (_LAYERS[1] / 255) + pixels[..., 2:] * (_LAYERS[2] / 255)
        mixed = drawing * _LAYERS[0] + (1.0 - drawing) * ground + 0.5
        return Painted(pixels=_enlarge(mixed.astype(np.uint8), scale), palette=None)
    if channels == "auto" and count == 3:
        return Painted(pixels=_enlarge(pixels, scale), palette=None)
    if channels == "auto" and count == 2 and colors == TWO_SIDES:
        mixed = (pixels[..., :1] * (_GREEN / 255) + pixels[..., 1:] * (_RED / 255)) + 0.5
        return Painted(pixels=_enlarge(np.minimum(mixed, 255.0).astype(np.uint8), scale), palette=None)
    return _tiles(_enlarge(pixels, scale), palette, gap)


def _tiles(pixels: NDArray[np.uint8], palette: NDArray[np.uint8] | None, gap: int) -> Painted:
    batch, height, width, count = pixels.shape
    joined = np.moveaxis(pixels, -1, 2)  # (batch, height, channels, width)
    if not gap:
        return Painted(pixels=joined.reshape(batch, height, count * width), palette=palette)
    spaced = np.full((batch, height, count * (width + gap) - gap, 3), _GAP_GREY, dtype=np.uint8)
    for tile in range(count):
        one = Painted(pixels=np.ascontiguousarray(joined[:, :, tile]), palette=palette)
        spaced[:, :, tile * (width + gap) :][:, :, :width] = one.rgb()
    return Painted(pixels=spaced, palette=None)


def _enlarge(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Every pixel of (batch, height, width, ...) as a square of `scale` pixels."""
    return np.ascontiguousarray(pixels) if scale == 1 else pixels.repeat(scale, axis=1).repeat(scale, axis=2)


@lru_cache(maxsize=16)
def palette_of(colors: str) -> NDArray[np.uint8] | None:
    """256 colours of a colour map, uint8 of shape (256, 3), read-only; None for `gray`. RecipeError when unknown."""
    if colors in ("gray", "grey"):
        return None
    if colors == BOOK:
        return _book()
    import matplotlib as mpl

    if colors not in mpl.colormaps:
        raise RecipeError(
            f"Unknown colour map {colors!r}.",
            remedy="Take gray, book, viridis, magma, inferno, cividis, coolwarm, RdBu or another of matplotlib's.",
        )
    palette: NDArray[np.uint8] = mpl.colormaps[colors](np.arange(256), bytes=True)[:, :3].copy()
    palette.flags.writeable = False
    return palette


def _book() -> NDArray[np.uint8]:
    """From the middle outward: black, the colour of the side, then nearly white, so that walls shine.

    It rises steeply at first: an order of ordinary size is a third of the way, and must be seen.
    """
    distance = np.abs(np.arange(256) - 127.5) - 0.5  # the middle of a range has two places, 127 and 128
    strength = np.sqrt(distance / distance[-1])[:, None]
    side = np.where(np.arange(256)[:, None] < 128, _RED, _GREEN)
    colours = side * np.minimum(strength / 0.8, 1.0)
    colours += (245.0 - colours) * np.maximum(strength - 0.8, 0.0) / 0.2 * 0.8
    palette: NDArray[np.uint8] = colours.round().astype(np.uint8)
    palette.flags.writeable = False
    return palette
