from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triptych.market.books import BookTape

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def real():
    """The folder of real data beside the repository."""
    if not (REAL / "lob").exists():
        pytest.skip("needs the real order books beside the repository")
    return REAL


def make_tape(n=400, levels=5, seed=0, step_ms=100, symbol="TEST", start_ms=1_000_000):
    """A tape whose price walks on a grid of 0.1; some far levels are missing."""
    random = np.random.default_rng(seed)
    bid = 1_000 + np.cumsum(random.integers(-1, 2, n))
    ask = bid + random.integers(1, 4, n)
    gaps = random.integers(1, 4, (2, n, levels))
    gaps[:, :, 0] = 0
    prices = [(bid[:, None] - gaps[0].cumsum(axis=1)) / 10, (ask[:, None] + gaps[1].cumsum(axis=1)) / 10]
    sizes = list(random.gamma(1.0, 3.0, (2, n, levels)).round(3))
    missing = random.random(n) < 0.1
    for values in (prices[0], sizes[0]):
        values[missing, levels - 1] = np.nan
    return BookTape(
        symbol=symbol, time_ms=start_ms + step_ms * np.arange(n, dtype=np.int64),
        bid_prices=prices[0], bid_sizes=sizes[0], ask_prices=prices[1], ask_sizes=sizes[1],
    )  # fmt: skip


@pytest.fixture(name="make_tape")
def make_tape_fixture():
    return make_tape


@pytest.fixture
def tape():
    return make_tape()
