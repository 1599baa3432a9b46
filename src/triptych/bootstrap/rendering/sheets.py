"""Pictures side by side with titles: contact sheets (a row a time, a column an encoding) and frames of animations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
MOST_WIDE_PX: Final = 1_800
"""Columns that would go beyond this are wrapped: a screen shows as much."""
MOST_PIXELS: Final = 120_000_000
"""A sheet beyond this would fill the memory of a small PC, and no viewer opens it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Places of the pictures on a sheet: a row for each time, a column for each encoding.

    Columns that do not stand beside one another on a screen are wrapped: a row then has several lines, and every
    picture its own title; else the titles stand once, on top.

    Attributes:
        titles: of the columns.
        widths: of the columns in pixels.
        lines: columns of each line of a row.
        heights: of the lines in pixels.
        label: width of the column of times on the left; 0 puts the time above (frames of an animation).
    """

    titles: tuple[str, ...]
    widths: tuple[int, ...]
    lines: tuple[range, ...]
    heights: tuple[int, ...]
    label: int

    @classmethod
    def of(cls, titles: Sequence[str], samples: Sequence[NDArray[np.uint8]], labels: Sequence[str] = ()) -> Layout:
        """Room for pictures as large as `samples`, and for the labels of the rows, if there are any."""
        label = max((_width(text) for label in labels for text in label.split("\n")), default=-2 * PAD_PX)
        widths = tuple(max(one.shape[1], _width(title)) for title, one in zip(titles, samples, strict=True))
        lines = tuple(_wrapped(widths))
        heights = tuple(max(samples[column].shape[0] for column in line) for line in lines)
        return cls(titles=tuple(titles), widths=widths, lines=lines, heights=heights, label=label + 2 * PAD_PX)

    @property
    def row_height(self) -> int:
        """From the top of a row to that of the next."""
        titles = (TITLE_PX + PAD_PX) * len(self.lines) if len(self.lines) > 1 else 0
        return sum(self.heights) + PAD_PX * len(self.lines) + titles

    def size(self, rows: int) -> tuple[int, int]:
        """(width, height) of a sheet of so many rows. Raises DataError when it is too large to be made."""
        inner = max(sum(self.widths[c] for c in line) + PAD_PX * len(line) for line in self.lines)
        width = self.label + inner + (0 if self.label else PAD_PX)
        top = 2 * PAD_PX + TITLE_PX if len(self.lines) == 1 else PAD_PX
        height = top + rows * self.row_height + PAD_PX // 2
        if width * height > MOST_PIXELS:
            raise DataError(
                f"A sheet of {rows} rows would have {width} x {height} pixels.",
                remedy="Ask for fewer windows (--last, --every), or a smaller --scale.",
            )
        return width, height

    def left(self, column: int) -> int:
        """Where a column begins."""
        line = self.lines[self._line(column)]
        before = sum(self.widths[c] + PAD_PX for c in line if c < column)
        return before + (self.label or PAD_PX)

    def top(self, row: int, column: int = 0) -> int:
        """Where the pictures of a line of a row begin."""
        if len(self.lines) == 1:
            return 2 * PAD_PX + TITLE_PX + row * self.row_height
        above = sum(height + TITLE_PX + 2 * PAD_PX for height in self.heights[: self._line(column)])
        return 2 * PAD_PX + TITLE_PX + row * self.row_height + above

    def paste(self, image: Image.Image, row: int, column: int, picture: NDArray[np.uint8]) -> None:
        """Place a picture in the middle of its cell's height; where columns are wrapped, under its title."""
        if len(self.lines) > 1:
            self.title(image, row, column)
            top = self.top(row, column)
        else:
            top = self.top(row) + (self.heights[0] - picture.shape[0]) // 2
        image.paste(Image.fromarray(picture), (self.left(column), top))

    def title(self, image: Image.Image, row: int, column: int) -> None:
        """Write the title of a column above its picture in a row."""
        place = self.left(column), self.top(row, column) - TITLE_PX - PAD_PX - 1
        ImageDraw.Draw(image).text(place, self.titles[column], fill=INK, font=_font())

    def _line(self, column: int) -> int:
        return next(i for i, line in enumerate(self.lines) if column in line)


def _wrapped(widths: Sequence[int]) -> Iterator[range]:
    """The columns of each line, as many as a screen is wide."""
    first, used = 0, 0
    for column, width in enumerate(widths):
        if column > first and used + PAD_PX + width > MOST_WIDE_PX:
            yield range(first, column)
            first, used = column, 0
        used += width + PAD_PX
    yield range(first, len(widths))


def sheet(layout: Layout, labels: Sequence[str], columns: Sequence[Iterable[NDArray[np.uint8]]]) -> Image.Image:
    """A sheet with a row for each label; `columns` give their pictures from the top, uint8 (height, width, 3)."""
    image = Image.new("RGB", layout.size(len(labels)), PAPER)
    draw = ImageDraw.Draw(image)
    for row, label in enumerate(labels):
        middle = layout.top(row) + layout.heights[0] // 2
        draw.multiline_text((PAD_PX, middle), label, fill=FAINT, font=_font(), anchor="lm", spacing=5)
    for column, pictures in enumerate(columns):
        layout.title(image, 0, column)
        for row, picture in enumerate(pictures):
            layout.paste(image, row, column, picture)
    return image


def frame(layout: Layout, caption: str, pictures: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """One frame of an animation: pictures under their titles, the time below them."""
    width, height = layout.size(1)
    image = Image.new("RGB", (max(width, _width(caption) + 2 * PAD_PX), height + TITLE_PX + PAD_PX), PAPER)
    for column, picture in enumerate(pictures):
        layout.title(image, 0, column)
        layout.paste(image, 0, column, picture)
    draw = ImageDraw.Draw(image)
    draw.text((PAD_PX, height + TITLE_PX // 2), caption, fill=FAINT, font=_font(), anchor="lm")
    return image


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TITLE_PX)


def _width(text: str) -> int:
    return int(_font().getlength(text)) + 1
