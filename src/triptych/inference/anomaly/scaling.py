"""Channels on one scale, learnt from training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError


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
        low, high = np.quantile(values, (0.005, 0.995), axis=0)
        kept = np.clip(values, low, high)
        centre, scale = kept.mean(axis=0), kept.std(axis=0)
        sparse = scale <= 1e-9 * np.maximum(1.0, np.abs(centre))
        scale = np.where(sparse, values.std(axis=0), scale)  # a channel that seldom moves has its own deviation
        constant = np.flatnonzero(~(values.std(axis=0) > 1e-9 * np.maximum(1.0, np.abs(centre))))
        if constant.size:
            names = ", ".join(repr(columns[i]) for i in constant)
            raise DataError(
                f"These channels do not change in the training rows: {names}.",
                remedy="Drop them: nothing can be learnt from a constant, and any change would look infinite.",
            )
        return cls(centre=centre, scale=scale, bound=bound)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.clip((values - self.centre) / self.scale, -self.bound, self.bound).astype(np.float32)
