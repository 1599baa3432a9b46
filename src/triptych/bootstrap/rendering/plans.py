"""What is to be drawn: which windows of which history through which encoding, and how that looks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.rendering.catalogue import FACTORS, fitting, for_view, reads
from triptych.bootstrap.rendering.colouring import Channels, Painted, paint, palette_of
from triptych.bootstrap.rendering.drawing import draw
from triptych.bootstrap.rendering.histories import History
from triptych.bootstrap.rendering.looks import View, enlargement, look_of
from triptych.bootstrap.rendering.moments import Moments, choose_whole
from triptych.bootstrap.rendering.names import time_in_words
from triptych.bootstrap.rendering.surface import Surface, draw_surface
from triptych.bootstrap.rendering.ticks import Ticks, factor_ticks
from triptych.domain import utc
from triptych.domain.errors import NotEnoughData
from triptych.images import AbstractEncoding
from triptych.images.jkx import LeavesBlank

GAP_PX = 4
"""Grey between channels that stand side by side, for people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How pictures look.

    Attributes:
        view: for people or as a network gets it; decides what the others are where they are None.
        colors: colour map of one-channel images.
        channels: several channels by their number (three are red, green, blue), or always side by side.
        scale: every pixel becomes a square of this side.
        surface: draw each image as a landscape instead.
        level: of PNG compression, 0 .. 9.
    """

    view: View = "people"
    colors: str | None = None
    channels: Channels = "auto"
    scale: int | None = None
    surface: Surface | None = None
    level: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Windows of one history through one encoding.

    Attributes:
        history: what is drawn.
        name: of the encoding.
        encoding: the encoding itself.
        options: its validated options, JSON-ready.
        rows: float32 of shape (n_rows, number of columns).
        ends: rows at which the windows end.
        style: how the pictures look.
        skipped: windows that were asked for and not drawn, as they cross holes.
        blank: windows with candles that are missing, drawn with a blank in their place.
    """

    history: History
    name: str
    encoding: AbstractEncoding
    options: Mapping[str, Any]
    rows: NDArray[np.float32]
    ends: NDArray[np.int64]
    style: Style
    skipped: int = 0
    blank: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the holes of the history did to the pictures, in words."""
        what = f"{self.history.symbol} {self.history.timeframe}, {self.name}"
        found = []
        if self.skipped:
            first = self.history.first_hole()
            found.append(
                f"{what}: {self.skipped:,} {'window' if self.skipped == 1 else 'windows'} across holes in the history "
                f"not drawn (the first hole is after {utc(first)} UTC)"
            )
        if self.blank:
            found.append(f"{what}: missing candles are left blank in {self.blank:,} of {len(self.ends):,} pictures")
        return tuple(found)

    @property
    def scale(self) -> int:
        """Side of the square that a pixel becomes."""
        if self.style.scale is not None:
            return self.style.scale
        return enlargement(self.encoding.height, self.encoding.width) if self.style.view == "people" else 1

    @property
    def smooth(self) -> bool:
        """Whether neighbouring pixels differ little, so that the files do well to store differences."""
        return look_of(self.name).smooth or self.scale > 1

    def close_ms(self, end: int) -> int:
        """When the window that ends with row `end` closes, UTC milliseconds."""
        return int(self.history.close_time_ms[end])

    def caption(self, end: int) -> str:
        """Beside a picture; of several instruments in one picture also which is which."""
        words = self._when(end)
        return f"{words}  from the left: {', '.join(self.panels)}" if self.panels else words

    def _when(self, end: int) -> str:
        return f"{self.history.symbol} {self.history.timeframe}  {time_in_words(self.close_ms(end))} UTC"

    @property
    def panels(self) -> tuple[str, ...]:
        """The instrument of each channel of an image of factors; empty where channels are something else."""
        return self.history.panels(self.encoding.channels) if reads(self.encoding.columns) == (FACTORS,) else ()

    def painted(self, ends: NDArray[np.int64] | None = None) -> Iterator[tuple[NDArray[np.int64], Painted]]:
        """Draw the windows that end with rows `ends` (None: all of the plan): (ends, pictures), batch by batch."""
        look = look_of(self.name)
        people = self.style.view == "people"
        colors = self.style.colors or (look.colors if people else "gray")
        for chosen, pixels in draw(self.encoding, self.rows, self.ends if ends is None else ends):
            if self.style.surface is not None:
                for end, one in zip(chosen, pixels, strict=True):
                    title = f"{self.name}   {self._when(end)}"
                    landscape = draw_surface(
                        one, kind=self.style.surface, colors=self.style.colors, title=title, axes=look.axes,
                        panels=self.panels, ticks=self._ticks(int(end)),
                    )  # fmt: skip
                    yield np.array([end]), Painted(pixels=landscape[None], palette=None)
            else:
                gap = GAP_PX * self.scale if people else 0
                yield chosen, paint(pixels, colors=colors, channels=self.style.channels, gap=gap, scale=self.scale)

    def _ticks(self, end: int) -> tuple[Ticks, Ticks]:
        """Dates and names of factors along the sides of a landscape of factors; nothing of others."""
        if reads(self.encoding.columns) != (FACTORS,):
            return (), ()
        times = self.history.close_time_ms[end + 1 - self.encoding.length : end + 1]
        return factor_ticks(self.encoding, times, self.history.factors.columns)

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """The pictures one by one, each uint8 of shape (height, width, 3)."""
        for _, painted in self.painted():
            yield from painted.rgb()

    def sample(self) -> NDArray[np.uint8]:
        """The last picture, uint8 of shape (height, width, 3): all others are of its size."""
        _, painted = next(self.painted(self.ends[-1:]))
        one: NDArray[np.uint8] = painted.rgb()[0]
        return one


def make_plans(
    histories: Sequence[History],
    wanted: Mapping[str, Mapping[str, Any]],
    *,
    length: int | None,
    moments: Moments,
    style: Style,
    together: bool,
    lacking: Mapping[str, Collection[str]] | None = None,
) -> list[Plan]:
    """Plans for every history and encoding.

    Args:
        histories: of one or several instruments.
        wanted: options of each encoding by its name.
        length: rows of a window; None takes each encoding's usual length.
        moments: which windows.
        style: how the pictures look.
        together: the encodings show the same windows (side by side on a sheet), not each those that it can.
        lacking: of an instrument, by its symbol, the encodings that are not drawn of it; of those that are drawn
            together such an instrument is left out.

    Raises DataError, RecipeError and NotEnoughData with what to do.
    """
    if style.colors is not None:
        palette_of(style.colors)
    offer = histories[0].offer
    lacking = lacking or {}
    all_built = {
        name: for_view(name, length, fitting(name, options, offer), style.view) for name, options in wanted.items()
    }
    plans = []
    for history in histories:
        missing = lacking.get(history.symbol, ())
        if missing and together:
            continue
        built = {name: one for name, one in all_built.items() if name not in missing}
        laid = {name: history.laid_for(encoding) for name, (encoding, _) in built.items()}
        rows = {name: laid[name].rows(name, encoding.columns) for name, (encoding, _) in built.items()}
        whole, any_ = _possible(laid, rows, {n: e for n, (e, _) in built.items()})
        if together:
            whole, any_ = _everywhere(whole), _everywhere(any_)
        for name, (encoding, options) in built.items():
            what = f"{history.symbol} {history.timeframe}, {'the sheet' if together else name}"
            chosen, skipped = choose_whole(
                moments, history.close_time_ms, whole[name], any_[name], what=what, exact=history.closes_exactly
            )
            layout = laid[name].layout
            ends = chosen if layout is None else layout.at[chosen]
            plans.append(
                Plan(
                    history=laid[name],
                    name=name,
                    encoding=encoding,
                    options=options,
                    rows=rows[name],
                    ends=ends,
                    style=style,
                    skipped=skipped,
                    blank=_windows_with_nothing(rows[name], ends, encoding),
                )
            )
    if not plans:
        raise NotEnoughData(
            "There is no instrument of which all these encodings can be drawn.",
            remedy="Leave out --sheet, or name encodings and instruments by --encoding and --symbol.",
        )
    return plans


Ends = dict[str, NDArray[np.bool_]]


def _possible(
    laid: Mapping[str, History], rows: Mapping[str, NDArray[np.float32]], encodings: Mapping[str, AbstractEncoding]
) -> tuple[Ends, Ends]:
    """At which candles a window that crosses no hole, and one at all, can end, for each encoding by its name."""

    def ends(name: str, *, across_holes: bool) -> NDArray[np.bool_]:
        one = encodings[name]
        may = laid[name].can_end(one.columns, rows[name], one.length, across_holes=across_holes)
        return laid[name].by_candle(may)

    whole = {name: ends(name, across_holes=False) for name in encodings}
    return whole, {name: ends(name, across_holes=True) for name in encodings}


def _everywhere(can_end: Ends) -> Ends:
    """Where every encoding's window can end, for each."""
    everywhere: NDArray[np.bool_] = np.logical_and.reduce(list(can_end.values()))
    return dict.fromkeys(can_end, everywhere)


def _windows_with_nothing(rows: NDArray[np.float32], ends: NDArray[np.int64], encoding: AbstractEncoding) -> int:
    """Windows with a row that is wholly unknown, of an encoding that leaves it blank."""
    if not isinstance(encoding, LeavesBlank):
        return 0
    nothing = np.concatenate(([0], np.cumsum(np.isnan(rows).all(axis=1))))
    return int(np.count_nonzero(nothing[ends + 1] > nothing[ends + 1 - encoding.length]))
