"""How each encoding is shown: its colours, and sizes that people can read. An encoding that is not named here is shown
as a field of one colour map, at its own size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from triptych.bootstrap.rendering.colouring import BOOK, LAYERS, TWO_SIDES

View = Literal["people", "network"]
"""For eyes (large charts, colour maps, enlarged), or as a network gets it (own defaults, grey, pixel by pixel)."""
LEAST_SIDE_PX: Final = 320
"""For people, pictures are enlarged until their longer side is at least this long."""
MOST_CHART_PX: Final = 600
"""The widest chart that the encodings draw."""


def _as_it_is(_: int) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How an encoding is shown.

    Attributes:
        length: rows of a window where nobody says how many; None leaves it to the kind of history.
        colors: colour map of a single channel, or `sides`, or `layers`.
        smooth: whether neighbouring pixels differ little: a field, not a drawing with sharp edges.
        options: options for people's eyes, by the length of the window.
        axes: what columns, rows and values of the image are, for landscapes.
    """

    length: int | None = None
    colors: str = "viridis"
    smooth: bool = True
    options: Callable[[int], Mapping[str, Any]] = field(default=_as_it_is)
    axes: tuple[str, str, str] = ("time", "time", "value")


def _chart(length: int) -> Mapping[str, Any]:
    # Six pixels a candle, as far as they fit: a body with its wick in the middle, and a gap.
    width = min(MOST_CHART_PX, max(6 * length, LEAST_SIDE_PX))
    return {"width": width, "height": round(width * 0.625)}


def _profile(_: int) -> Mapping[str, Any]:
    return {"height": 180, "width": LEAST_SIDE_PX, "split": True}


def _book(length: int) -> Mapping[str, Any]:
    # Wide, as a trader's depth chart: the path of the price is seen, and the levels on either side of it.
    return {"height": 160, "width": 2 * length if length <= MOST_CHART_PX // 2 else length}


def _imbalance(length: int) -> Mapping[str, Any]:
    # From one book to the next the best levels flicker: the mean of a few shows who leans on the market.
    return {"height": 40, "width": max(2, length // 4)}


CHART: Final = ("time", "price, from the top", "ink")
PROFILE: Final = ("volume", "price, from the top", "ink")
BANDS: Final = ("time", "frequency", "power")
GRID: Final = ("factors of a row's candles", "time", "score, 0 to 1")
LEVELS: Final = ("price and size of each level", "time", "value, 0 to 1")
SIDES: Final = ("time", "price level", "size")

LOOKS: Final[Mapping[str, Look]] = {
    "candlestick": Look(smooth=False, options=_chart, axes=CHART),
    "jkx": Look(colors="gray", smooth=False, axes=CHART),
    "gadf": Look(colors="RdBu_r"),
    "volume_profile": Look(colors=TWO_SIDES, smooth=False, options=_profile, axes=PROFILE),
    "multi_channel": Look(colors=LAYERS, options=_chart, axes=CHART),
    "spectrogram": Look(length=120, colors="magma", axes=BANDS),
    "scalogram": Look(length=120, colors="magma", axes=BANDS),
    "factor_grid": Look(length=896, colors="RdBu_r", axes=GRID),
    "depth_heatmap": Look(length=120, colors=BOOK, options=_book, axes=SIDES),
    "book_imbalance": Look(length=240, colors="RdYlGn", options=_imbalance, axes=SIDES),
    "book_levels": Look(length=120, smooth=False, axes=LEVELS),
}


def look_of(name: str) -> Look:
    """How an encoding is shown."""
    return LOOKS.get(name, Look())


def enlargement(height: int, width: int) -> int:
    """By how much a picture is enlarged for people."""
    return -(-LEAST_SIDE_PX // max(height, width))
