"""What is new in each row: a channel less what its own past foretells.

Volumes and ranges wander for hours, so that two of them can look alike or apart by chance for as long. Innovations do
not: each row is evidence of its own. All functions look back a fixed number of rows, so that windows and histories give
the same to the last bit. Arrays have the shape (..., rows, channels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_MOST_LAGS: Final = 8
_RIDGE: Final = 1.0  # rows' worth of doubt in every coefficient
_CALMEST: Final = 0.1  # of a deviation: below, a channel stands still and is not blown up


def lookback(length: int) -> int:
    """Rows before a row that its innovation depends on, for windows of `length` rows: a quarter."""
    return max(length // 4, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Innovations:
    """A linear forecast of each channel from its last rows and from its mean over `rows` rows.

    Attributes:
        coefficients: float64 (lags + 1, channels): of the last rows, newest first, and of the mean.
        scale: float64 (channels,): deviation of what is left.
        rows: rows that are looked back on.
    """

    coefficients: Array
    scale: Array
    rows: int

    @classmethod
    def learn(cls, stretches: list[Array], rows: int) -> Self:
        """Least squares over unbroken stretches, each (n, channels) and longer than `rows`."""
        lags = min(_MOST_LAGS, max(rows // 2, 1))
        channels = stretches[0].shape[1]
        coefficients = np.zeros((lags + 1, channels))
        pasts = [_past(one, lags, rows) for one in stretches]
        for channel in range(channels):
            x = np.concatenate([past[..., channel].T for past in pasts])
            y = np.concatenate([one[rows:, channel] for one in stretches])
            coefficients[:, channel] = np.linalg.solve(x.T @ x + _RIDGE * np.eye(lags + 1), x.T @ y)
        made = cls(coefficients=coefficients, scale=np.ones(channels), rows=rows)
        left = np.concatenate([made(one) for one in stretches])
        return cls(coefficients=coefficients, scale=np.maximum(left.std(axis=0), 1e-6), rows=rows)

    def __call__(self, x: Array) -> Array:
        """Innovations in deviations, `rows` rows fewer."""
        left = x[..., self.rows :, :].copy()
        past = _past(x, len(self.coefficients) - 1, self.rows)
        for part, coefficient in zip(past, self.coefficients, strict=True):
            left -= part * coefficient
        return np.asarray(left / self.scale)


def _past(x: Array, lags: int, rows: int) -> Array:
    """The last rows and the mean of the last `rows`, before each row from `rows` on: (lags + 1, ..., n, channels)."""
    n = x.shape[-2] - rows
    past = np.empty((lags + 1, *x.shape[:-2], n, x.shape[-1]))
    for lag in range(1, lags + 1):
        past[lag - 1] = x[..., rows - lag : rows - lag + n, :]
    total = np.zeros_like(past[0])
    for back in range(rows):
        total += x[..., back : back + n, :]
    past[lags] = total / rows
    return past


def calmed(x: Array, rows: int) -> Array:
    """Rows over the volatility of the `rows` before them, `rows` fewer: no wild hour, no quiet one.

    The volatility is the root of an exponentially weighted mean of squares with a half-life of half the rows, each
    square at most 16.
    """
    n = x.shape[-2] - rows
    weights = 0.5 ** (np.arange(rows, 0, -1) / (rows / 2.0))
    squares = np.minimum(x * x, 16.0)
    total = np.zeros((*x.shape[:-2], n, x.shape[-1]))
    for back, weight in enumerate(weights / weights.sum()):
        total += weight * squares[..., back : back + n, :]
    return np.asarray(x[..., rows:, :] / np.sqrt(np.maximum(total, _CALMEST**2)))
