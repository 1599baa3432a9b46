"""Named streams of chance: each hidden process of the market draws from its own, and never from another's.

A stream is fixed by the seed and its name alone. So another instrument, or another process, does not shift the numbers
of those that were there before. Values are drawn in time order, a fixed count per candle, so that a longer history
begins with the shorter one.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HALF_STEP: Final = 2.0**-54  # half the distance between two uniforms of 53 bits: stands for a drawn zero


def stream(seed: int, *name: str) -> np.random.Generator:
    """The generator that belongs to `seed` and `name`; a name has parts, such as ("jumps", "ALFA-USDT")."""
    return np.random.Generator(bits(seed, *name))


def bits(seed: int, *name: str) -> np.random.PCG64:
    """The bit generator behind `stream`, for those that must jump ahead in it."""
    digest = hashlib.sha256("\x1f".join(name).encode()).digest()
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=np.frombuffer(digest[:16], dtype="<u4").tolist()))


def uniforms(generator: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    """Uniform variates, strictly between 0 and 1, filled in C order."""
    return np.maximum(generator.random(shape), _HALF_STEP)


def normals(generator: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    """Standard normal variates by inversion: one uniform each, so that the stream advances by exactly the count."""
    return normals_from(uniforms(generator, *shape))


def normals_from(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard normal variates that belong to `uniform` ones, of the same shape."""
    from scipy.special import ndtri  # takes its time to load, which trading need not wait for

    values: NDArray[np.float64] = ndtri(uniform)
    return values


def autoregression(shocks: NDArray[np.float64], half_life: float, deviation: float) -> NDArray[np.float64]:
    """A stationary Gaussian AR(1), the Ornstein-Uhlenbeck process seen once per candle.

    Args:
        shocks: standard normals of shape (n,).
        half_life: candles after which half of a deviation is forgotten.
        deviation: standard deviation of the result.

    Returns:
        float64 array of shape (n,); the first value is already drawn from the stationary law.
    """
    memory = 0.5 ** (1.0 / half_life)
    innovations = shocks * (deviation * np.sqrt(1.0 - memory * memory))
    innovations[:1] = shocks[:1] * deviation
    from scipy.signal import lfilter  # takes half a second to load, which most commands need not wait for

    values: NDArray[np.float64] = lfilter([1.0], [1.0, -memory], innovations)
    return values
