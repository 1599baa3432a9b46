"""Order books in which the queue says where the mid goes next, and files of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from triptych.market.books import BookTape, write_tape

START_MS = 1_704_103_200_000  # 2024-01-01 10:00 UTC


def leaning_tape(
    n: int = 600, *, levels: int = 3, seed: int = 0, lean: float = 1.2, symbol: str = "LEAN", start_ms: int = START_MS
) -> BookTape:
    """Books every 100 ms: a hidden pressure tilts the best sizes and, a little later, moves the mid."""
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
        symbol=symbol, time_ms=start_ms + 100 * np.arange(n, dtype=np.int64),
        bid_prices=(bid[:, None] - steps) / 10, bid_sizes=sizes[0],
        ask_prices=(bid[:, None] + 1 + steps) / 10, ask_sizes=sizes[1],
    )  # fmt: skip


def leaning_file(folder: Path, **options: object) -> Path:
    """Such books as a file."""
    return write_tape(folder / "lean.parquet", leaning_tape(**options))  # type: ignore[arg-type]


def fi2010_file(path: Path, n: int = 400, seed: int = 0) -> Path:
    """A tiny file of the layout of FI-2010, one stock and day."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(144, n))
    mid = 0.3 + np.cumsum(random.choice([-0.001, 0.0, 0.001], n))
    for level in range(10):
        features[4 * level] = mid + 0.0005 * (level + 1)
        features[4 * level + 2] = mid - 0.0005 * (level + 1)
    np.savetxt(path, np.vstack([features, random.integers(1, 4, (5, n))]), fmt="%.7e")
    return path
