"""Windows to draw."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numba
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


def not_compiled(*given: Any, **options: Any) -> Any:
    """Instead of `numba.njit`: leaves a function as it is."""
    return given[0] if given and callable(given[0]) else lambda function: function


@pytest.fixture(scope="session")
def pyts_image() -> ModuleType:
    """pyts, its loops left to Python: compiling them would take half a minute.

    Only its own decorators are left out: numba's switch would reach what it compiles for our kernels later on.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba, "njit", not_compiled)
        module: ModuleType = pytest.importorskip("pyts.image", reason="needs pyts, of the extra `bench`")
    return module
