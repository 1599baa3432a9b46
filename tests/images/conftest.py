"""Windows to draw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch


@pytest.fixture
def walk() -> Callable[..., torch.Tensor]:
    """Windows of a random walk: tensor of shape (batch, length, 5), float64."""

    def make(batch: int, length: int, seed: int = 0) -> torch.Tensor:
        random = np.random.default_rng(seed)
        close = 20_000 * np.exp(np.cumsum(random.normal(0, 1e-3, (batch, length)), axis=1))
        opening = close * np.exp(random.normal(0, 1e-3, (batch, length)))
        reach = np.abs(random.normal(0, 1e-3, (2, batch, length)))
        high = np.maximum(opening, close) * (1 + reach[0])
        low = np.minimum(opening, close) * (1 - reach[1])
        volume = random.gamma(2.0, 10.0, (batch, length))
        return torch.tensor(np.stack([opening, high, low, close, volume], axis=-1))

    return make
