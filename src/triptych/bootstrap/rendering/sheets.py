"""Pictures side by side with titles: contact sheets (a row a time, a column an encoding) and frames of animations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from triptych.domain.errors import DataError

PAPER, INK, FAINT = (18, 20, 24), (226, 229, 233), (146, 153, 163)
PAD_PX: Final = 10
TITLE_PX: Final = 13
MOST_PIXELS: Final = 120_000_000
"""A sheet beyond this would fill the memory of a small PC, and no viewer opens it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Places of the pictures on a sheet: all cells of a column are equally wide, all rows equally high.

    Attributes:
        titles: of the columns.
        widths, height: of the cells in pixels.
        label: width of the column of times on the left; 0 puts the time above (frames of an animation).
    """

    titles: tuple[str, ...]
    widths: tuple[int, ...]
    height: int
    label: int

    @classmethod
    def of(cls, titles: Sequence[str], samples: Sequence[NDArray[np.uint8]], labels: Sequence[str] = ()) -> Layout:
        """Room for pictures as large as `samples`, and for the labels of the rows, if there are any."""
        label = max((_width(text) for label in labels for text in label.split("\n")), default=-2 * PAD_PX)
        widths = tuple(max(one.shape[1], _width(title)) for title, one in zip(titles, samples, strict=True))
        height = max(one.shape[0] for one in samples)
        return cls(titles=tuple(titles), widths=widths, height=height, label=label + 2 * PAD_PX)

    def size(self, rows: int) -> tuple[int, int]:
        """(width, height) of a sheet of so many rows. Raises DataError when it is too large to be made."""
        width = self.label + sum(self.widths) + PAD_PX * (len(self.widths) + (0 if self.label else 1))
        height = 2 * PAD_PX + TITLE_PX + rows * (self.height + PAD_PX) + PAD_PX // 2
        if width * height > MOST_PIXELS:
            raise DataError(
                f"A sheet of {rows} rows would have {width} x {height} pixels.",
                remedy="Ask for fewer windows (--last, --every), or a smaller --scale.",
            )
        return width, height

    def left(self, column: int) -> int:
        """Where a column begins."""
        before = sum(self.widths[:column]) + PAD_PX * column
        return before + (self.label or PAD_PX)

    def top(self, row: int) -> int:
        """Where a row begins."""
        return 2 * PAD_PX + TITLE_PX + row * (self.height + PAD_PX)

    def paste(self, image: Image.Image, row: int, column: int, picture: NDArray[np.uint8]) -> None:
        """Place a picture in the middle of its cell's height."""
        top = self.top(row) + (self.height - picture.shape[0]) // 2
        image.paste(Image.fromarray(picture), (self.left(column), top))


def sheet(layout: Layout, labels: Sequence[str], columns: Sequence[Iterable[NDArray[np.uint8]]]) -> Image.Image:
    """A sheet with a row for each label; `columns` give their pictures from the top, uint8 (height, width, 3)."""
    image = Image.new("RGB", layout.size(len(labels)), PAPER)
    draw = ImageDraw.Draw(image)
    for row, label in enumerate(labels):
        middle = layout.top(row) + layout.height // 2
        draw.multiline_text((PAD_PX, middle), label, fill=FAINT, font=_font(), anchor="lm", spacing=5)
    for column, (title, pictures) in enumerate(zip(layout.titles, columns, strict=True)):
        draw.text((layout.left(column), PAD_PX - 1), title, fill=INK, font=_font())
        for row, picture in enumerate(pictures):
            layout.paste(image, row, column, picture)
    return image


def frame(layout: Layout, caption: str, pictures: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """One frame of an animation: pictures under their titles, the time below them."""
    width, height = layout.size(1)
    image = Image.new("RGB", (max(width, _width(caption) + 2 * PAD_PX), height + TITLE_PX + PAD_PX), PAPER)
    draw = ImageDraw.Draw(image)
    for column, (title, picture) in enumerate(zip(layout.titles, pictures, strict=True)):
        draw.text((layout.left(column), PAD_PX - 1), title, fill=INK, font=_font())
        layout.paste(image, 0, column, picture)
    draw.text((PAD_PX, height + TITLE_PX // 2), caption, fill=FAINT, font=_font(), anchor="lm")
    return image


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TITLE_PX)


def _width(text: str) -> int:
    return int(_font().getlength(text)) + 1
