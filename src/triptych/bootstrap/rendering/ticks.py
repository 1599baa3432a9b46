"""What the sides of a landscape of factors stand for: dates along time, names along factors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.images import AbstractEncoding

Ticks = tuple[tuple[int, str], ...]
"""Places along a side in pixels, and what stands there."""
MOST_TICKS: Final = 7
FEW_DAYS_MS: Final = 3 * 86_400_000
"""A window shorter than this shows hours, too."""


def factor_ticks(
    encoding: AbstractEncoding, close_time_ms: NDArray[np.int64], names: Sequence[str]
) -> tuple[Ticks, Ticks]:
    """(ticks of the columns, ticks of the rows) of the image of an encoding of factors.

    A side along which candles follow one another, line by line, shows when they closed; the other one names factors.

    Args:
        encoding: of factors.
        close_time_ms: of the candles of the window, int64 of shape (length,).
        names: of the factors of one instrument.
    """
    pixels = encoding.pixel_map()
    if pixels is None or not pixels.axes:
        return (), ()
    _, height, width = pixels.shape
    area = height * width
    candle = np.asarray(pixels.candles[:, :area].argmax(axis=0)).reshape(height, width)
    factor = np.asarray(pixels.axes[0].weights[:, :area].argmax(axis=0)).reshape(height, width)
    hours = int(close_time_ms[-1] - close_time_ms[0]) < FEW_DAYS_MS

    def when(one: int) -> str:
        return datetime.fromtimestamp(int(close_time_ms[one]) / 1000, UTC).strftime("%m-%d %H:%M" if hours else "%m-%d")

    def named(one: int) -> str:
        return names[one % len(names)]

    rows_are_time = height > 1 and int(candle[-1, 0] - candle[0, 0]) > int(candle[0, -1] - candle[0, 0])
    if rows_are_time:
        return _at(factor[0], named), _at(candle[:, 0], when)
    return _at(candle[0], when), _at(factor[:, 0], named)


def _at(entries: NDArray[np.int64], word: Callable[[int], str]) -> Ticks:
    step = max(1, len(entries) // MOST_TICKS)
    return tuple((place, word(int(entries[place]))) for place in range(0, len(entries), step))
