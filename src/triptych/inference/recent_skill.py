"""How right each member of a consensus was lately: weights that move from close to close.

Time is cut into slots as long as `horizon` candles, and of each slot the first close of an instrument is asked. Around
the clock that is every `horizon`-th. Where a market closes at night, two such closes may lie fewer candles apart, and
their outcomes overlap: the later one then counts by the share of its horizon that lies between them, so that all counts
together are no more than the outcomes that do not overlap.

An outcome is known when the candle has closed that settles its label at the latest, and counts for `window` candles of
its instrument, half as much for each half-life of its age. Which closes are asked, their counts, labels and losses come
from a fixed stretch of candles around them, so a long history, a short one and one that is asked anew after a restart
give the same weights.

What the members said before the segment that they were trained for is out of fold only as it was recorded then, by the
models of that time; that is kept in `heard`. Later closes are asked of the members themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from triptych.domain import CLASSES, CandleSeries

if TYPE_CHECKING:
    from triptych.features.targets import Config as TargetConfig

DAY_MS: Final = 86_400_000
_SETTLED_SPANS: Final = 4
"""Spans of the volatility before a close, by which its thresholds are told: what came earlier weighs 0.03 %."""
_NEVER: Final = np.iinfo(np.int64).max


class Heard(BaseModel):
    """What the members said of one instrument, out of fold, at the closes that are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_ms: tuple[int, ...] = Field(description="Closes, UTC milliseconds, rising.")
    votes: tuple[tuple[float, ...], ...] = Field(description="A row a close: sell, hold, buy of each member in order.")


class RecentSkill(BaseModel):
    """What weights by recent skill are told by. Part of a combiner, stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(description="Candles of an instrument for which an outcome counts.")
    half_life_days: float = Field(description="Age at which an outcome counts half.")
    floor: float = Field(description="Share of the weights that all have alike.")
    timeframe_ms: int = Field(description="Length of a candle.")
    target: dict[str, Any] = Field(description="What counts as an outcome: the whole target of the recipe.")
    heard_until_ms: int = Field(-1, description="The members themselves are asked about later closes only.")
    heard: dict[str, Heard] = Field({}, description="What was said until then, by instrument.")

    @property
    def horizon(self) -> int:
        """Candles until an outcome is settled at the latest."""
        return int(self.target["horizon"])

    @property
    def warm_up(self) -> int:
        """Candles before a close by which the thresholds of its label are told."""
        return 0 if self.target["threshold"] == "fixed" else _SETTLED_SPANS * int(self.target["volatility_span"])

    @property
    def reach(self) -> int:
        """Candles up to now by which all outcomes that count are told, beside those that the members look at."""
        return self.window + self.horizon + self.warm_up + 1

    def due(self, close_time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which closes of a history are the first of their slot; of its first close that is not known, and not told."""
        slots = close_time_ms // (self.timeframe_ms * self.horizon)
        return np.diff(slots, prepend=slots[:1]) > 0

    def shares(self, due: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Share of the horizon of each candle that has passed since the close before it that was due, at most 1."""
        places = np.arange(len(due))
        last = np.maximum.accumulate(np.where(due, places, -self.horizon))
        before = np.concatenate(([-self.horizon], last[:-1]))
        found: NDArray[np.float64] = np.minimum((places - before) / self.horizon, 1.0)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What came of what the members said of one instrument.

    Attributes:
        time_ms: int64 of shape (n,), the closes.
        known_ms: int64 of shape (n,), when it was known what came.
        lapses_ms: int64 of shape (n,), when the window has passed over them; later than all where it has not yet.
        shares: float64 of shape (n,), in (0, 1], how much of each is not in the outcome before it.
        losses: float64 of shape (n, n_members), half the Brier score of each, 0 (sure and right) to 1 (sure and wrong).
    """

    time_ms: NDArray[np.int64]
    known_ms: NDArray[np.int64]
    lapses_ms: NDArray[np.int64]
    shares: NDArray[np.float64]
    losses: NDArray[np.float64]

    def at(self, now_ms: int, skill: RecentSkill) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How much each outcome counts that is known now, shape (k,), and its losses, shape (k, n_members)."""
        keep = (self.known_ms <= now_ms) & (now_ms < self.lapses_ms)
        age_days = (now_ms - self.time_ms[keep]) / DAY_MS
        return self.shares[keep] * 0.5 ** (age_days / skill.half_life_days), self.losses[keep]

    def weights(
        self, times_ms: NDArray[np.int64], skill: RecentSkill, unknown: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Weights at these times, shape (n_times, n_members); `unknown` where no outcome is known."""
        found = np.tile(unknown, (len(times_ms), 1))
        for i, now_ms in enumerate(times_ms.tolist()):
            counts, losses = self.at(now_ms, skill)
            if len(counts):
                found[i] = weights_of(counts, losses, skill.floor)
        return found


def weights_of(counts: NDArray[np.float64], losses: NDArray[np.float64], floor: float = 0.0) -> NDArray[np.float64]:
    """Weights by what each member lost, shape (n_members,), sum 1.

    The exponentially weighted average forecaster (Cesa-Bianchi and Lugosi 2006, theorem 2.2): exp(-rate * loss), where
    loss is the sum of all losses and rate = sqrt(8 ln(members) / n), n the sum of all counts.

    Args:
        counts: of shape (n,), how much each answer counts.
        losses: of shape (n, n_members), each 0 to 1.
        floor: share of the weights that all have alike, 0 to 1.
    """
    members = losses.shape[1]
    rate = np.sqrt(8.0 * np.log(members) / max(counts.sum(), 1.0))
    total = counts @ losses
    weights = np.exp(-rate * (total - total.min()))
    found: NDArray[np.float64] = floor / members + (1.0 - floor) * weights / weights.sum()
    return found


def losses_of(votes: NDArray[np.float64], classes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Half the Brier scores of votes of shape (n, n_members, 3) on known classes, shape (n, n_members)."""
    truth = np.eye(len(CLASSES))[classes]
    found: NDArray[np.float64] = 0.5 * np.square(votes - truth[:, None]).sum(axis=2)
    return found


def outcomes_of(
    skill: RecentSkill,
    series: CandleSeries,
    time_ms: NDArray[np.int64],
    votes: NDArray[np.float64],
    kept: dict[int, int] | None = None,
) -> Outcomes:
    """What came of votes of shape (n, n_members, 3) at closes `time_ms` of a history, where it is settled there.

    Votes that are not finite, and closes that the history does not hold, have no outcome. `kept` are the classes by
    close that have been told of this instrument before, from close to close: those that are settled are added to it.
    """
    # Loads the library of factors: a house that has just been restarted comes back sooner without.
    from triptych.features.targets import UNKNOWN
    from triptych.features.targets import Config as TargetConfig

    target = TargetConfig.model_validate(skill.target)
    ends = np.minimum(np.searchsorted(series.close_time_ms, time_ms), len(series) - 1)
    usable = (series.close_time_ms[ends] == time_ms) & np.isfinite(votes).all(axis=(1, 2))
    ends, votes = ends[usable], votes[usable]
    closes, told = series.close_time_ms, {} if kept is None else kept
    for end in ends.tolist():
        at = int(closes[end])
        if at not in told and (found := _class(target, skill.warm_up, series, end)) != UNKNOWN:
            told[at] = found
    classes = np.array([told.get(at, UNKNOWN) for at in closes[ends].tolist()], dtype=np.int64)
    settled = classes != UNKNOWN
    ends = ends[settled]
    lapses = ends + skill.window
    return Outcomes(
        time_ms=closes[ends],
        known_ms=closes[ends + skill.horizon],
        lapses_ms=np.where(lapses < len(series), closes[np.minimum(lapses, len(series) - 1)], _NEVER),
        shares=skill.shares(skill.due(closes))[ends],
        losses=losses_of(votes[settled], classes[settled]),
    )


def _class(target: TargetConfig, warm_up: int, series: CandleSeries, end: int) -> int:
    """The class of the label at one close, from a stretch of candles whose length never differs."""
    from triptych.features.targets import UNKNOWN, label

    first, last = end - warm_up, end + target.horizon
    if first < 0 or last >= len(series):
        return UNKNOWN
    return int(label(series.between(first, last + 1), target).classes[warm_up])
