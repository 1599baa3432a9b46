"""Intervals that hold both noises of a trained model: which history it was tested on, and which seed it was trained by.

A model that is trained again with another seed answers differently, often by as much as two variants differ. So a
figure is measured with several seeds on the same test, and both could have come out otherwise. Seeds and test times are
crossed: every seed is tested at every time. For such a table Owen (2007, "The pigeonhole bootstrap", Annals of Applied
Statistics 1, sections 3 and 4) shows that resampling rows and columns independently adds the two variances, and that
this is right or slightly too much: what a seed does at one time only is in both, and counted twice. Resampling the rows
themselves is no use with three of them: draws with replacement show two thirds of their variance, and take only ten
values. So the variances are added as such:

    error² = error over times, of the mean over seeds² + variance over seeds / number of seeds

and each is known no better than its degrees of freedom allow: blocks of time - 1, and seeds - 1. Those of the sum are
Satterthwaite's (1946, "An approximate distribution of estimates of variance components"); the interval is Student's.

Two or three seeds tell these badly. In simulated tables an interval of 95 % holds the truth 98.2 to 98.5 times of 100
where seeds differ only in what they do at single times, and 87.5 (two seeds) or 91.5 (three) where the seed as such
moves the figure by four times the error over times; with five seeds 94.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triptych.training.intervals import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """How far a figure could have been off by the history alone: standard error, and its degrees of freedom."""

    error: float
    degrees: float


def over_seeds(
    by_seed: Sequence[float], sampled: Sampled, level: float, limits: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """The mean over seeds with an interval that holds the noise of the test's sampling and that of training.

    Args:
        by_seed: the figure for each seed, on the same test.
        sampled: of their mean, all seeds on the same resamples of time.
        level: such as 0.95.
        limits: what the figure can be; the interval is cut there.

    Returns:
        NaN bounds with fewer than two seeds, for then nothing says how much training moves the figure, and where the
        error is unknown.
    """
    values = np.asarray(by_seed, dtype=np.float64)
    mean = float(values.mean())
    if len(values) < 2 or not np.isfinite(sampled.error) or not np.isfinite(mean):
        return Interval(value=mean, low=np.nan, high=np.nan)
    from scipy.stats import t as student  # takes a second to load, which trading need not wait for

    parts = ((sampled.error**2, max(sampled.degrees, 1.0)), (float(values.var(ddof=1)) / len(values), len(values) - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Interval(value=mean, low=mean, high=mean)
    degrees = variance**2 / sum(part**2 / known for part, known in parts)
    half = float(student.ppf((1.0 + level) / 2.0, degrees)) * variance**0.5
    low, high = np.clip((mean - half, mean + half), *limits)
    return Interval(value=mean, low=float(low), high=float(high))
