"""Invented order books in which the queue at the best prices leans before the mid moves: what a network should find."""

from __future__ import annotations

from typing import Final

import numpy as np

from triptych.market.books.tape import BookTape

EVERY_MS: Final = 100
START_MS: Final = 1_704_103_200_000
"""2024-01-01 10:00 UTC."""


def leaning_tape(
    n: int = 600, *, levels: int = 3, seed: int = 0, lean: float = 1.2, symbol: str = "LEAN", start_ms: int = START_MS
) -> BookTape:
    """Books every 100 ms: a hidden pressure tilts the best sizes and, a little later, moves the mid.

    Args:
        n: rows.
        levels: levels a side.
        seed: of everything.
        lean: how far the logarithm of the best sizes follows the pressure.
        symbol: name of the instrument.
        start_ms: time of the first row, UTC.
    """
    random = np.random.default_rng(seed)
    pressure = np.zeros(n)
    for row in range(1, n):
        pressure[row] = 0.97 * pressure[row - 1] + 0.25 * random.normal()
    chance = 0.15 * (1 + np.tanh(pressure))
    up, down = random.random(n) < chance, random.random(n) < 0.3 - chance
    bid = 10_000 + np.cumsum(np.r_[0, (up.astype(int) - down.astype(int))[:-1]])
    sizes = 5 * np.exp(0.2 * random.normal(size=(2, n, levels)))
    sizes[0, :, 0] *= np.exp(lean * pressure / 2)
    sizes[1, :, 0] *= np.exp(-lean * pressure / 2)
    steps = np.arange(levels)
    return BookTape(
        symbol=symbol, time_ms=start_ms + EVERY_MS * np.arange(n, dtype=np.int64),
        bid_prices=(bid[:, None] - steps) / 10, bid_sizes=sizes[0],
        ask_prices=(bid[:, None] + 1 + steps) / 10, ask_sizes=sizes[1],
    )  # fmt: skip
