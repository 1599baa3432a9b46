"""Confidence intervals that respect overlapping labels: a block bootstrap over time; of plain counts, Wilson's.

Labels that look h candles ahead share h - 1 candles with their neighbours, so neighbouring samples are right or wrong
together, and drawing samples one by one would promise intervals about sqrt(h) too narrow. Here blocks of consecutive
decision times are drawn, and every instrument's samples of a time come with it, since instruments move together too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["moving", "stationary"]
_CELLS = 250_000
"""Samples times resamples worked on at once: 2 MB, which stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A value with its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def label_span(time_ms: NDArray[np.int64], end_ms: NDArray[np.int64]) -> int:
    """The most decision times one label reaches over: the horizon, counted in distinct times of all samples."""
    times = np.unique(time_ms)
    first = np.searchsorted(times, time_ms, side="left")
    return max(1, int((np.searchsorted(times, end_ms, side="left") - first).max()))


def default_block_length(n_times: int, span: int) -> int:
    """Decision times in a block: four label spans, less on short histories, never under one span.

    With blocks of b times a correlation over h times is seen weakened by 1 - lag / b; at b = 4 h the standard error
    is then some 4 % too small, at b = h 18 %. The cube root is the usual rate for weak dependence (Künsch 1989;
    Lahiri 2003).
    """
    wanted = max(4 * span, int(np.ceil(n_times ** (1 / 3))))
    return max(1, min(n_times, max(span, min(wanted, n_times // 10))))


def block_counts(
    n_times: int, block_length: int, resamples: int, random: np.random.Generator, kind: Kind = "moving"
) -> NDArray[np.float64]:
    """How often each time was drawn in each resample: float64 of shape (n_times, resamples), columns sum to n_times.

    `moving`: blocks of fixed length on the circle of times (Künsch 1989; circular after Politis & Romano 1992, so
    that the ends are drawn as often as the middle). `stationary`: lengths are geometric with mean `block_length`
    (Politis & Romano 1994).
    """
    if kind == "stationary":
        return _stationary_counts(n_times, block_length, resamples, random)
    n_blocks = -(-n_times // block_length)
    start = random.integers(0, n_times, size=(n_blocks, resamples))
    length = np.full((n_blocks, 1), block_length)
    length[-1] = n_times - block_length * (n_blocks - 1)
    column = np.broadcast_to(np.arange(resamples), start.shape)
    size = (2 * n_times + 1) * resamples
    change = np.bincount((start * resamples + column).ravel(), minlength=size)
    change -= np.bincount(((start + length) * resamples + column).ravel(), minlength=size)
    counts = np.cumsum(change.reshape(2 * n_times + 1, resamples), axis=0)
    return (counts[:n_times] + counts[n_times : 2 * n_times]).astype(np.float64)


def resample_weights(
    time_ms: NDArray[np.int64], block_length: int, resamples: int, seed: int, kind: Kind = "moving"
) -> Iterator[NDArray[np.float64]]:
    """Weights of the samples in portions of shape (n_samples, some resamples), `resamples` columns altogether.

    Everything that is compared must be computed on the same portions: then the comparison is paired.
    """
    times, position = np.unique(time_ms, return_inverse=True)
    random = np.random.default_rng(seed)
    portion = max(1, _CELLS // max(len(time_ms), 1))
    for done in range(0, resamples, portion):
        count = min(portion, resamples - done)
        yield block_counts(len(times), block_length, count, random, kind)[position]


def widening(n_times: int, block_length: int, span: int, level: float) -> float:
    """By how much bootstrap deviations must be stretched for their intervals to hold their level; at least 1.

    Three shortfalls of a block bootstrap, each with its remedy. Labels of span h correlate by 1 - lag / h, which
    blocks of length b weaken by 1 - lag / b: their variance is low by the factor 1 - (h - 1 / h) / (3 b). K = n / b
    blocks are drawn around their own mean: low by (K - 1) / K. And K blocks know the variance no better than K
    observations would: Student's quantile with K - 1 degrees of freedom instead of the normal one.
    """
    from scipy.stats import norm as normal  # takes a second to load, which trading need not wait for
    from scipy.stats import t as student

    seen, degrees = seen_variance(n_times, block_length, span)
    quantile = (1.0 + level) / 2.0
    return float(student.ppf(quantile, degrees) / normal.ppf(quantile) / np.sqrt(seen))


def seen_variance(n_times: int, block_length: int, span: int) -> tuple[float, float]:
    """The share of a figure's variance that its draws show, and the degrees of freedom they show it with.

    The first two and the last of the shortfalls that `widening` tells of.
    """
    blocks = max(n_times / block_length, 2.0)
    seen = (1.0 - (span - 1.0 / span) / (3.0 * max(block_length, span))) * (blocks - 1.0) / blocks
    return seen, blocks - 1.0


def interval(
    value: float, draws: NDArray[np.float64], level: float, limits: tuple[float, float], stretch: float = 1.0
) -> Interval:
    """The interval of a value from its bootstrap draws.

    The quantiles of the draws, moved so that the draws' mean falls on the value, their distances to it times
    `stretch`, then cut to what the metric can be. Moving takes out the bootstrap's bias, which for the calibration
    error is so large that plain quantiles leave the value outside. Draws without a value (NaN) are left out; with
    fewer than half left there is no interval.
    """
    draws = draws[np.isfinite(draws)] if np.isfinite(draws).sum() * 2 >= len(draws) else np.empty(0)
    if not np.isfinite(value) or not len(draws):
        return Interval(value=value, low=np.nan, high=np.nan)
    deviations = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]) - draws.mean()
    low, high = np.clip(value + stretch * deviations, *limits)
    return Interval(value=value, low=float(min(low, value)), high=float(max(high, value)))


def share_interval(hits: int, n: int, level: float = 0.95) -> Interval:
    """`hits` of `n` independent trials as a share, with Wilson's score interval (1927); NaN without any trial."""
    from scipy.stats import binomtest

    if not n:
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"))
    found = binomtest(hits, n).proportion_ci(level, method="wilson")
    return Interval(value=hits / n, low=float(found.low), high=float(found.high))


def intervals(
    values: Mapping[str, float],
    draws: Mapping[str, NDArray[np.float64]],
    level: float,
    limits: Mapping[str, tuple[float, float]],
    stretch: float = 1.0,
) -> dict[str, Interval]:
    """`interval` of every metric."""
    return {name: interval(value, draws[name], level, limits[name], stretch) for name, value in values.items()}


def _stationary_counts(
    n_times: int, mean_length: int, resamples: int, random: np.random.Generator
) -> NDArray[np.float64]:
    restart = random.random((n_times, resamples)) < 1.0 / mean_length
    restart[0] = True
    start = random.integers(0, n_times, size=(n_times, resamples))
    now = np.arange(n_times)[:, None]
    last = np.maximum.accumulate(np.where(restart, now, 0), axis=0)
    drawn = (np.take_along_axis(start, last, axis=0) + now - last) % n_times
    flat = (drawn * resamples + np.arange(resamples)).ravel()
    return np.bincount(flat, minlength=n_times * resamples).reshape(n_times, resamples).astype(np.float64)
