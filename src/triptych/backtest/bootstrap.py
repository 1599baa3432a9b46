"""Block bootstrap of sums: intervals for returns that depend on one another in time.

Blocks of neighbouring candles are drawn with replacement from the series closed to a circle, so that dependence within
a block survives (circular blocks of one length: Politis & Romano 1992; stationary bootstrap, geometric lengths:
Politis & Romano 1994). Every statistic here is a function of means, so a block enters only by its sum, which two
prefix sums give: a replicate costs n / block length operations instead of n.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scheme = Literal["circular", "stationary"]


def optimal_block_length(values: NDArray[np.float64], scheme: Scheme = "circular") -> float:
    """Block length with the least mean squared error of the variance of the mean.

    Politis & White (2004), "Automatic block-length selection for the dependent bootstrap", with the correction of
    Patton, Politis & White (2009): flat-top lag window, bandwidth from the first run of insignificant correlations.

    Args:
        values: array of shape (n,).
        scheme: for which bootstrap.

    Returns:
        The length in candles, at least 1 and at most `largest_block(n)`; 1 for a constant or very short series.
    """
    n = len(values)
    if n < 10 or not float(np.ptp(values)) > 0:
        return 1.0
    run = max(5, int(math.sqrt(math.log10(n))))
    last_lag = min(n - 1, math.ceil(math.sqrt(n)) + run)
    covariance = autocovariance(values, last_lag)
    threshold = 2.0 * math.sqrt(math.log10(n) / n)
    quiet = np.abs(covariance[1:] / covariance[0]) < threshold
    bandwidth = min(2 * _first_quiet_lag(quiet, run), last_lag)
    lags = np.arange(1, bandwidth + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - lags / bandwidth))
    slope = 2.0 * float(np.sum(window * lags * covariance[1 : bandwidth + 1]))
    density = float(covariance[0] + 2.0 * np.sum(window * covariance[1 : bandwidth + 1]))
    spread = (4.0 / 3.0 if scheme == "circular" else 2.0) * density**2
    if not spread > 0:
        return 1.0
    return float(np.clip((2.0 * slope**2 / spread) ** (1 / 3) * n ** (1 / 3), 1.0, largest_block(n)))


def largest_block(n: int) -> int:
    """The longest block worth drawing from n values: with fewer blocks an interval means nothing."""
    return max(1, math.ceil(min(3.0 * math.sqrt(n), n / 3.0)))


def autocovariance(values: NDArray[np.float64], last_lag: int) -> NDArray[np.float64]:
    """Autocovariances (divisor n) at lags 0 .. last_lag of an array of shape (n,); by FFT."""
    n = len(values)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(values - values.mean(), size)
    products = np.asarray(np.fft.irfft(spectrum * spectrum.conj(), size), dtype=np.float64)
    return products[: last_lag + 1] / n


def effective_observations(values: NDArray[np.float64], block_length: int) -> float:
    """How many independent values would give the mean of these as large an error; between 1 and n.

    n * variance / long-run variance, the latter with Bartlett weights up to the block length (Newey & West 1987).
    Negative correlation is not credited: the result never exceeds n.
    """
    n = len(values)
    covariance = autocovariance(values, min(block_length, n - 1))
    if not covariance[0] > 0:
        return float(n)
    weights = 1.0 - np.arange(1, len(covariance)) / (block_length + 1)
    long_run = float(covariance[0] + 2.0 * np.sum(weights * covariance[1:]))
    return float(np.clip(n * covariance[0] / max(long_run, covariance[0]), 1.0, n))


def bootstrap_means(
    columns: NDArray[np.float64],
    *,
    block_length: int,
    replicates: int,
    generator: np.random.Generator,
    scheme: Scheme = "circular",
) -> NDArray[np.float64]:
    """Means of resampled series; the columns are resampled together.

    Args:
        columns: array of shape (n, n_columns).
        block_length: candles in a block (stationary: on average).
        replicates: how many series to draw.
        generator: source of chance.
        scheme: circular blocks of one length, or geometric lengths.

    Returns:
        float64 array of shape (replicates, n_columns).
    """
    n, width = columns.shape
    centre: NDArray[np.float64] = columns.mean(axis=0)
    # centred before summing: long sums of uncentred values would cancel badly
    prefix = np.vstack([np.zeros(width), np.cumsum(columns - centre, axis=0)])
    means: NDArray[np.float64] = np.empty((replicates, width))
    per_chunk = max(1, 2_000_000 // (math.ceil(n / block_length) + 1))
    for first in range(0, replicates, per_chunk):
        rows = min(per_chunk, replicates - first)
        lengths = _block_lengths(n, block_length, rows, generator, scheme)
        starts = generator.integers(0, n, size=lengths.shape)
        stops = starts + lengths
        wrapped = np.where(stops > n, stops - n, stops)
        # the centred columns sum to zero, so running past the end of the circle costs nothing extra
        for column in range(width):
            sums = prefix[:, column]
            means[first : first + rows, column] = (sums[wrapped] - sums[starts]).sum(axis=1) / n
    means += centre
    return means


def percentile_bounds(
    replicates: NDArray[np.float64], *, value: float, blocks: float, level: float
) -> tuple[float, float]:
    """Percentile interval, widened for few blocks.

    The percentiles' distances from `value` are stretched as Student's t stretches the normal with as many values as
    there are blocks, and by sqrt(k / (k - 1)) because resampling divides by k where an estimate must divide by k - 1.

    Args:
        replicates: statistic of each resampled series, shape (replicates,).
        value: the statistic of the series itself.
        blocks: n / block length.
        level: such as 0.95.
    """
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(replicates, [tail, 1.0 - tail])
    k = max(blocks, 2.0)
    from scipy import stats  # takes a second to load, which trading need not wait for

    stretch = float(stats.t.ppf(1.0 - tail, k - 1.0) / stats.norm.ppf(1.0 - tail) * math.sqrt(k / (k - 1.0)))
    return value - (value - float(low)) * stretch, value + (float(high) - value) * stretch


def _first_quiet_lag(quiet: NDArray[np.bool_], run: int) -> int:
    """The smallest lag m >= 1 followed by `run` insignificant correlations; else the last significant lag."""
    for lag in range(1, len(quiet) - run + 1):
        if quiet[lag : lag + run].all():
            return lag
    loud = np.flatnonzero(~quiet)
    return int(loud[-1]) + 1 if loud.size else 1


def _block_lengths(
    n: int, block_length: int, rows: int, generator: np.random.Generator, scheme: Scheme
) -> NDArray[np.int64]:
    """Lengths of shape (rows, blocks) that sum to n in each row; blocks beyond n have length zero."""
    if scheme == "circular":
        blocks = math.ceil(n / block_length)
        lengths = np.full((rows, blocks), block_length, dtype=np.int64)
        lengths[:, -1] = n - block_length * (blocks - 1)
        return lengths
    drawn = generator.geometric(1.0 / block_length, size=(rows, math.ceil(n / block_length)))
    while (missing := n - int(drawn.sum(axis=1).min())) > 0:
        more = generator.geometric(1.0 / block_length, size=(rows, math.ceil(missing / block_length)))
        drawn = np.hstack([drawn, more])
    ends = np.minimum(np.cumsum(drawn, axis=1), n)
    return np.diff(ends, axis=1, prepend=0)
