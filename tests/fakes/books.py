"""Order books in which the queue says where the mid goes next, and files of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from triptych.market.books import write_tape
from triptych.market.synthetic.leaning import START_MS, leaning_tape

__all__ = ["START_MS", "fi2010_file", "leaning_file", "leaning_tape"]


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
