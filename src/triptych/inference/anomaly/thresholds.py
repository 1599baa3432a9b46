"""Thresholds that follow the scores of a stream and aim at so many alarms a day.

A threshold is told every score once, in order, and says what it would have been before it saw the score: a score
never raises the bar it has to clear.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.inference.anomaly.tails import AbstractTail, ConformalTail, RollingTail, SpotTail

ROWS_PER_DAY: Final = 96.0
"""Rows of a day where nobody says and no times tell how many they are."""
_FROM_ONE_RUN: Final = 0.2  # of the scores that a window lets exceed the threshold
_FOR_ONE_RUN: Final = 1.0  # that the account falls by, at most
_STRICTEST, _LOOSEST = math.log(0.25), math.log(2.0)  # of the share asked for


class Config(BaseConfig):
    """How the threshold of a stream moves."""

    method: Literal["fixed", "rolling", "conformal", "spot"] = Field(
        "rolling",
        description="`fixed`: the detector's own. `rolling`: a quantile of the last scores. `conformal`: the share of "
        "the last scores that are as high, as a p-value. `spot`: the tail is fitted (peaks over threshold).",
    )
    alarms_per_day: float = Field(1.0, description="Rows a day that may exceed the threshold.", gt=0)
    rows_per_day: float | None = Field(
        None,
        description="Rows of a day: 96 of 15 minutes, 24 of an hour. None: as many as the rows of the fit had "
        f"by their times, {ROWS_PER_DAY:g} where they had none.",
        gt=0,
    )
    window: int = Field(
        2000,
        description="Scores that are remembered; more where the window would hold less than two alarms' worth of rows.",
        ge=20,
    )
    patience: float = Field(
        3.0,
        description="Days of alarms in a row during which the threshold holds still, so that a lasting failure keeps "
        "alarming; it learns of them when they end, and what lasts longer becomes the new normal. 0 learns at once.",
        ge=0,
    )
    balance: float = Field(
        0.1,
        description="How strictly the account of alarms is kept: each alarm lowers the logarithm of the share of rows "
        "that the threshold lets through by this much, the rows without one raise it, so that their number comes "
        "near the target through clusters and drift. 0 keeps no account.",
        ge=0,
        le=1,
    )
    spot_level: float = Field(
        0.95, description="Quantile of the remembered scores above which `spot` fits the tail.", ge=0.5, lt=1
    )

    @property
    def day(self) -> float:
        """Rows of a day."""
        return ROWS_PER_DAY if self.rows_per_day is None else self.rows_per_day

    def among(self, rows_per_day: float | None) -> Self:
        """The same for rows that come so often, where it does not say itself how often; None: nobody knows."""
        if self.rows_per_day is not None or rows_per_day is None:
            return self
        return self.model_copy(update={"rows_per_day": rows_per_day})

    @property
    def remembered(self) -> int:
        """Scores that are remembered: at least two alarms' worth."""
        return max(self.window, math.ceil(2.0 / self.rate))

    @property
    def words(self) -> str:
        """The method and its target for people."""
        if self.method == "fixed":
            return "fixed, the detector's own"
        return f"{self.method}, {self.alarms_per_day:g} alarms in {self.day:g} rows a day"

    @property
    def rate(self) -> float:
        """Share of rows that may exceed the threshold."""
        return min(self.alarms_per_day / self.day, 0.5)


class AbstractThreshold(ABC):
    """Says for each score what it had to exceed."""

    @abstractmethod
    def value(self) -> float:
        """The threshold for the next score."""

    @abstractmethod
    def learn(self, score: float) -> None:
        """Take in a score that has been judged."""

    @abstractmethod
    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """All that it has learnt, by name, each (n,)."""

    @abstractmethod
    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        """Become the one that gave these `numbers`; it has the same settings. Raises KeyError when one is missing."""


class FixedThreshold(AbstractThreshold):
    """Always the same."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def value(self) -> float:
        return self._threshold

    def learn(self, score: float) -> None:
        pass

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        return {}

    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        pass


class TargetThreshold(AbstractThreshold):
    """Lets so large a share of rows through as was asked for, also where scores cluster and drift.

    - Alarms come in runs. While one goes on the threshold holds still; at its end it learns from the run, as from any
      other scores: a threshold that leaves alarms out takes the rest for all there is, and alarms too often by the
      length of a usual run. From one run it learns a fifth of what the window lets through, so that a lasting failure
      does not become the measure of what follows. A run of more than `patience` rows becomes the new normal.
    - A quantile of the past says nothing of scores that rise. So an account is kept: adaptive conformal inference
      (Gibbs & Candes 2021, NeurIPS, eq. 2) in the logarithm of the share, from a quarter of what was asked to twice.
      One run moves it by 1 at most.
    - It never exceeds `highest`: whatever scores are remembered, gross rows alarm.
    """

    def __init__(
        self,
        tail: AbstractTail,
        *,
        rate: float,
        patience: int,
        from_one_run: int,
        balance: float,
        highest: float = math.inf,
    ) -> None:
        """Judge by `tail`.

        Args:
            tail: remembers the scores.
            rate: share of rows that may exceed the threshold.
            patience: rows of a run during which the threshold holds still.
            from_one_run: rows of a run that are learnt from, at most.
            balance: see `Config`.
            highest: what no threshold exceeds.
        """
        self._tail, self._rate, self._patience, self._highest = tail, rate, patience, highest
        self._from_one_run, self._balance = from_one_run, balance
        self._account = 0.0
        self._run = 0  # rows of the run of alarms that goes on
        self._unpaid = 0
        self._held: list[float] = []

    def value(self) -> float:
        return min(self._tail.value(min(self._rate * math.exp(self._account), 0.5)), self._highest)

    def learn(self, score: float) -> None:
        alarm = score > self.value()
        self._run = self._run + 1 if alarm else 0
        self._unpaid += alarm
        if 0 < self._run <= self._patience:
            if len(self._held) < self._from_one_run:
                self._held.append(score)
            return
        for one in (*self._held, score):
            self._tail.push(one)
        moved = self._account + self._balance * self._rate - min(self._balance * self._unpaid, _FOR_ONE_RUN)
        self._account = min(max(moved, _STRICTEST), _LOOSEST)
        self._unpaid = 0
        self._held.clear()

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        account = np.array([self._account, self._run, self._unpaid], dtype=np.float64)
        return self._tail.numbers() | {"account": account, "held": np.array(self._held, dtype=np.float64)}

    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        self._tail.restore(numbers)
        self._account, run, unpaid = numbers["account"].tolist()
        self._run, self._unpaid, self._held = int(run), int(unpaid), numbers["held"].tolist()


def create_threshold(
    config: Config, fixed: float, first: NDArray[np.float64], *, highest: float = math.inf
) -> AbstractThreshold:
    """The threshold that `config` asks for.

    Args:
        config: see `Config`.
        fixed: the detector's own threshold.
        first: scores of held-out normal rows in the order of their rows, float64 (n,).
        highest: what the threshold never exceeds, so that gross rows alarm (see `reach`).

    Raises RecipeError when there are fewer than 20 such scores.
    """
    if config.method == "fixed":
        return FixedThreshold(fixed)
    if len(first) < 20:
        raise RecipeError(
            f"A threshold that adapts needs at least 20 held-out scores to start from, there are {len(first)}.",
            remedy='Fit on a longer history, or set method = "fixed".',
        )
    size = config.remembered
    if config.method == "spot":
        made: AbstractTail = SpotTail(size, first, usual=config.rate, level=config.spot_level)
    else:
        made = (RollingTail if config.method == "rolling" else ConformalTail)(size, first)
    return TargetThreshold(
        made, rate=config.rate, patience=math.ceil(config.patience * config.day),
        from_one_run=math.ceil(_FROM_ONE_RUN * config.rate * size), balance=config.balance,
        highest=highest,
    )  # fmt: skip


def followed(threshold: AbstractThreshold, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each score of a history had to exceed, told to `threshold` in order as a stream does. Same shape."""
    limits = np.empty(len(scores))
    for i, score in enumerate(scores.tolist()):
        limits[i] = threshold.value()
        threshold.learn(score)
    return limits
