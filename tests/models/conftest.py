"""Weights by rule and the folder of reference outputs."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from triptych.models import registry


def fill(network: nn.Module) -> nn.Module:
    """Fill every floating-point tensor from a seed made of its name, so that the same names give the same function.

    Freshly drawn networks answer with nearly 0 everywhere in evaluation; filled ones do not, so differences show.
    """
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        seed = zlib.crc32(name.encode()) & 0x7FFFFFFF
        z = np.asarray(np.random.RandomState(seed).standard_normal(tuple(tensor.shape)))
        if name.endswith("running_var"):
            values = 0.5 + np.abs(z)
        elif name.endswith(("running_mean", "bias")):
            values = 0.1 * z
        elif z.ndim >= 2:
            values = z / np.sqrt(np.prod(z.shape[1:]))
        else:
            values = 1.0 + 0.1 * z
        tensor.copy_(torch.from_numpy(np.asarray(values)))
    return network.eval()


@pytest.fixture(scope="session")
def filled() -> Callable[[nn.Module], nn.Module]:
    return fill


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "parity"
    if not folder.is_dir():
        pytest.skip("the reference outputs (../shared/parity) are not on this machine")
    return folder


@pytest.fixture
def own_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models registered in a test are forgotten after it."""
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
