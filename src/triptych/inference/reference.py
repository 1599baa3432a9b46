"""What a model saw when it was trained, for whoever watches it later: quantiles of its confidence and of its windows.

Three statistics tell of a window of candles: its log return, the mean range of its candles by their close, and the log
of its last volume by the mean one. Each distribution is kept as 101 quantiles, enough for ten equally full bins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from triptych.inference.base import AbstractView

QUANTILES: Final = 101
WINDOW_STATISTICS: Final = ("window_return", "window_range", "window_volume")


def no_factors(_view: AbstractView, _symbol: str) -> Mapping[str, float]:
    """Of a model that reads candles."""
    return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What a model said and saw when it was trained, and how to see the same now.

    Attributes:
        quantiles: of the streams, by name. A stream without them is held against its own first window.
        length: candles of a window whose statistics are watched; 0: none are.
        factors: what the model reads of an instrument now, by factor; those without quantiles are not watched.
    """

    quantiles: Mapping[str, Sequence[float]] = field(default_factory=dict)
    length: int = 0
    factors: Callable[[AbstractView, str], Mapping[str, float]] = no_factors


NO_REFERENCE: Final = Reference()
"""Of a rule, and of a consensus."""


def window_statistics(windows: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """Statistics of windows of candles.

    Args:
        windows: shape (n, length, 5): open, high, low, close, volume.

    Returns:
        By name of `WINDOW_STATISTICS`, float64 of shape (n,); NaN where a price or the mean volume is not above zero.
    """
    values = np.asarray(windows, dtype=np.float64)
    high, low, close, volume = (values[:, :, i] for i in range(1, 5))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (
            np.log(close[:, -1] / close[:, 0]),
            ((high - low) / close).mean(axis=1),
            np.log1p(volume[:, -1]) - np.log1p(volume.mean(axis=1)),
        )
    return dict(zip(WINDOW_STATISTICS, found, strict=True))


def quantiles_of(values: NDArray[np.floating]) -> tuple[float, ...]:
    """101 quantiles of the finite values, evenly spaced; empty where there are fewer than 50."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size < 50:
        return ()
    return tuple(float(f"{one:.6g}") for one in np.quantile(finite, np.linspace(0.0, 1.0, QUANTILES)))
