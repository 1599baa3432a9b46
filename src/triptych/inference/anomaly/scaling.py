"""Channels on one scale, learnt from training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError

_SPREAD: Final = 1e-9
"""Of a channel's mean: what deviates less is the rounding of a constant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """(x - centre) / scale, bounded; `centre` and `scale` are float64 (channels,).

    The bound keeps one absurd value, such as a bad tick, from drowning all others of its window.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    bound: float

    @classmethod
    def of(cls, values: NDArray[np.float64], columns: tuple[str, ...], *, bound: float) -> Self:
        """Mean and standard deviation without the outermost half percent of each side.

        Raises DataError for a channel that does not change.
        """
        low, high = 4.0 * np.quantile(values / 4.0, (0.005, 0.995), axis=0)  # a difference of two may be too large
        kept = np.clip(values, low, high)
        centre, scale = _mean_and_deviation(kept)
        least = _SPREAD * np.abs(centre)
        _, whole = _mean_and_deviation(values)
        scale = np.where(scale <= least, whole, scale)  # a channel that seldom moves has its own deviation
        constant = np.flatnonzero(~(whole > least))
        if constant.size:
            names = ", ".join(repr(columns[i]) for i in constant)
            raise DataError(
                f"These channels do not change in the training rows: {names}.",
                remedy="Drop them: nothing can be learnt from a constant, and any change would look infinite.",
            )
        return cls(centre=centre, scale=scale, bound=bound)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what is too far away to say how far is at the bound
            scaled = (values - self.centre) / self.scale
        return np.clip(scaled, -self.bound, self.bound).astype(np.float32)


def _mean_and_deviation(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each column, computed in its own size: squares of 1e300 are no numbers, and those of 1e-300 are zero."""
    size = np.abs(values).max(axis=0, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    within = values / size
    return within.mean(axis=0) * size, within.std(axis=0) * size
