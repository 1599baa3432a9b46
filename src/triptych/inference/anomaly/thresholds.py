"""Thresholds that follow the scores of a stream and aim at so many alarms a day.

A threshold is told every score once, in order, and says what it would have been before it saw the score: a score
never raises the bar it has to clear.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError

_LEARNT = 1  # alarms in a row that a threshold learns from: single ones belong to the normal tail


class Config(BaseConfig):
    """How the threshold of a stream moves."""

    method: Literal["fixed", "rolling", "conformal", "spot"] = Field(
        "rolling",
        description="`fixed`: the detector's own. `rolling`: a quantile of the last scores. `conformal`: the share of "
        "the last scores that are as high, as a p-value. `spot`: the tail is fitted (peaks over threshold).",
    )
    alarms_per_day: float = Field(1.0, description="Rows a day that may exceed the threshold.", gt=0)
    rows_per_day: float = Field(96.0, description="Rows of a day: 96 of 15 minutes, 24 of an hour.", gt=0)
    window: int = Field(
        2000,
        description="Scores that are remembered; more where the window would hold less than two alarms' worth of rows.",
        ge=20,
    )
    patience: float = Field(
        3.0,
        description="Days of alarms in a row that the threshold does not learn from, so that a lasting failure keeps "
        "alarming; what lasts longer becomes the new normal. 0 learns from every score.",
        ge=0,
    )
    spot_level: float = Field(
        0.95, description="Quantile of the remembered scores above which `spot` fits the tail.", ge=0.5, lt=1
    )

    @property
    def remembered(self) -> int:
        """Scores that are remembered: at least two alarms' worth."""
        return max(self.window, math.ceil(2.0 / self.rate))

    @property
    def words(self) -> str:
        """The method and its target for people."""
        if self.method == "fixed":
            return "fixed, the detector's own"
        return f"{self.method}, {self.alarms_per_day:g} alarms in {self.rows_per_day:g} rows a day"

    @property
    def rate(self) -> float:
        """Share of rows that may exceed the threshold."""
        return min(self.alarms_per_day / self.rows_per_day, 0.5)


class AbstractThreshold(ABC):
    """Says for each score what it had to exceed."""

    @abstractmethod
    def value(self) -> float:
        """The threshold for the next score."""

    @abstractmethod
    def learn(self, score: float) -> None:
        """Take in a score that has been judged."""


class FixedThreshold(AbstractThreshold):
    """Always the same."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def value(self) -> float:
        return self._threshold

    def learn(self, score: float) -> None:
        pass


class _Window:
    """The last scores, also in order of size."""

    def __init__(self, size: int, first: NDArray[np.float64]) -> None:
        self.recent = deque(first[-size:].tolist(), maxlen=size)
        self.ordered: list[float] = sorted(self.recent)

    def push(self, score: float) -> None:
        if len(self.recent) == self.recent.maxlen:
            del self.ordered[bisect_left(self.ordered, self.recent[0])]
        self.recent.append(score)
        insort(self.ordered, score)


class RollingThreshold(AbstractThreshold):
    """A quantile of the last scores, starting with held-out ones; linear between neighbours, as NumPy's."""

    def __init__(self, rate: float, window: int, first: NDArray[np.float64]) -> None:
        self._rate = rate
        self._window = _Window(window, first)

    def value(self) -> float:
        ordered = self._window.ordered
        place = (len(ordered) - 1) * (1.0 - self._rate)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])

    def learn(self, score: float) -> None:
        self._window.push(score)


class ConformalThreshold(AbstractThreshold):
    """The smallest score whose conformal p-value, (1 + as high) / (1 + all), is at most the rate.

    With exchangeable scores at most that share of normal rows exceeds it (Vovk et al. 2005). Where the window is too
    short for so small a p-value the threshold is the highest score seen.
    """

    def __init__(self, rate: float, window: int, first: NDArray[np.float64]) -> None:
        self._rate = rate
        self._window = _Window(window, first)

    def value(self) -> float:
        ordered = self._window.ordered
        allowed = max(int(self._rate * (len(ordered) + 1)), 1)  # as high as itself, itself included
        return ordered[len(ordered) - allowed]

    def learn(self, score: float) -> None:
        self._window.push(score)


class SpotThreshold(AbstractThreshold):
    """Peaks over a drifting threshold: a generalised Pareto law of the excesses, read at the wanted rate.

    SPOT and DSPOT (Siffer et al. 2017, "Anomaly Detection in Streams with Extreme Value Theory", KDD). There, alarms
    do not join the tail, which over a window that forgets cuts the tail shorter and shorter; here they join it, but at
    most twice as far out as the threshold. The law is fitted anew whenever a tenth more peaks have come.
    """

    def __init__(self, rate: float, window: int, level: float, first: NDArray[np.float64]) -> None:
        self._rate, self._level = rate, level
        self._window = _Window(window, first)
        self._peaks = 0
        self._fit()

    def value(self) -> float:
        return self._value

    def learn(self, score: float) -> None:
        room = self._value - self._base  # none where all peaks are the same: any higher score must then get in
        self._window.push(min(score, self._base + 2.0 * room) if room > 0 else score)
        if score > self._base:
            self._peaks += 1
            if self._peaks >= self._refit_after:
                self._fit()

    def _fit(self) -> None:
        from scipy.stats import genpareto  # takes a second to load, which trading need not wait for

        scores = np.asarray(self._window.ordered)
        self._base = float(np.quantile(scores, self._level))
        excesses = scores[scores > self._base] - self._base
        self._peaks = 0
        self._refit_after = max(10, len(excesses) // 10)
        share = len(excesses) / len(scores)
        if len(excesses) < 10 or self._rate >= share:
            self._value = float(np.quantile(scores, 1.0 - self._rate))
            return
        shape, _, scale = genpareto.fit(excesses, floc=0.0)
        # A tail heavier than this is an accident of few peaks and would never alarm again.
        self._value = self._base + float(genpareto.isf(self._rate / share, min(float(shape), 0.5), scale=float(scale)))


class PatientThreshold(AbstractThreshold):
    """Keeps a lasting failure from becoming the threshold.

    The first alarm of a run is learnt from as any score is; the threshold then holds still while alarms go on,
    for at most so many rows. After them, or at the first score below, it learns again.
    """

    def __init__(self, inner: AbstractThreshold, rows: int) -> None:
        self._inner, self._rows, self._run = inner, rows, 0

    def value(self) -> float:
        return self._inner.value()

    def learn(self, score: float) -> None:
        self._run = self._run + 1 if score > self._inner.value() else 0
        if self._run <= _LEARNT or self._run > self._rows:
            self._inner.learn(score)


def create_threshold(config: Config, fixed: float, first: NDArray[np.float64]) -> AbstractThreshold:
    """The threshold that `config` asks for.

    Args:
        config: see `Config`.
        fixed: the detector's own threshold.
        first: scores of held-out normal rows in the order of their rows, float64 (n,).

    Raises RecipeError when there are fewer than 20 such scores.
    """
    if config.method == "fixed":
        return FixedThreshold(fixed)
    if len(first) < 20:
        raise RecipeError(
            f"A threshold that adapts needs at least 20 held-out scores to start from, there are {len(first)}.",
            remedy='Fit on a longer history, or set method = "fixed".',
        )
    if config.method == "spot":
        made: AbstractThreshold = SpotThreshold(config.rate, config.remembered, config.spot_level, first)
    else:
        kind = RollingThreshold if config.method == "rolling" else ConformalThreshold
        made = kind(config.rate, config.remembered, first)
    rows = math.ceil(config.patience * config.rows_per_day)
    return PatientThreshold(made, rows) if rows else made


def followed(threshold: AbstractThreshold, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each score of a history had to exceed, told to `threshold` in order as a stream does. Same shape."""
    limits = np.empty(len(scores))
    for i, score in enumerate(scores.tolist()):
        limits[i] = threshold.value()
        threshold.learn(score)
    return limits
