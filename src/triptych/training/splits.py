"""Splits in time: train, validation and test segments that share no candle and no label.

Boundaries are moments (UTC ms) common to all instruments. A segment is [start, stop): a candle belongs to it when it
opens at or after `start` and closes at or before `stop`. A sample belongs to a segment only when everything it
touches does:

- purge: the last candle its label could depend on (`Targets.latest_end`) belongs to the segment (López de Prado 2018,
  section 7.4.1);
- embargo by window length: the first candle of its window belongs to the segment. So the first `length - 1` candles
  of a validation or test segment carry no sample, since their windows reach back into the segment before; `embargo`
  leaves out more on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from triptych.domain import CandleSeries, utc
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError, NotEnoughData
from triptych.features.targets import UNKNOWN, Targets
from triptych.market.sessions import find_breaks
from triptych.market.store import to_ms


class Config(BaseConfig):
    """How history is cut into train, validation and test."""

    kind: Literal["chronological", "walk_forward"] = Field(
        "chronological",
        description="`chronological`: one cut into train, validation and test. `walk_forward`: the test share is "
        "walked through in `folds` steps, and a model is trained before each.",
    )
    train: float = Field(
        0.70, description="Share of the candles for training (walk-forward: before the first test).", gt=0, lt=1
    )
    validation: float = Field(
        0.15,
        description="Share of the candles for validation (walk-forward: the same part of every fold's past).",
        gt=0,
        lt=1,
    )
    test: float = Field(
        0.15, description="Share of the candles for testing (walk-forward: all folds together).", gt=0, lt=1
    )
    folds: int = Field(5, description="Steps of a walk-forward split.", ge=1, le=1000)
    window: Literal["expanding", "rolling"] = Field(
        "expanding",
        description="Walk-forward only. `expanding`: every fold trains on all its past. `rolling`: "
        "on a past as long as the first fold's.",
    )
    embargo: int = Field(
        0,
        description="Candles left out at the start of validation and test beyond the window length.",
        ge=0,
        le=1_000_000,
    )
    exclude_gaps: Annotated[int, Field(ge=0)] | Literal["calendar", "none"] = Field(
        "calendar",
        description="No window crosses a hole in the history. `calendar`: what a hole is, and what a night, a weekend "
        "or a holiday, is told from the history itself. A number: more than so many candles missing between two "
        "neighbours; for markets that never close. `none` keeps all windows. Pictures of whole days (features.day) "
        "keep the place of a missing candle instead.",
    )
    samples_from: str | None = Field(
        None,
        description="No sample decides before this time, UTC; where history is cut does not depend on it. "
        "`triptych ablate` sets it, so that variants whose windows are known earlier learn from no more than others.",
    )
    minimum_samples: int = Field(20, description="Fewest samples a segment may hold, over all instruments.", ge=1)

    @field_validator("samples_from")
    @classmethod
    def _must_be_a_time(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                to_ms(value)
        except DataError as error:
            raise ValueError(str(error).removesuffix(".")) from error
        return value

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"train + validation + test must be 1, was {total:g}")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Samples of one part of a fold.

    Attributes:
        name: train, validation or test.
        start_ms, stop_ms: UTC ms; candles of the segment open at or after the one and close at or before the other.
        indices: one int64 array per instrument, the rising decision candles of its samples.
    """

    name: str
    start_ms: int
    stop_ms: int
    indices: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return sum(len(index) for index in self.indices)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """One train, validation and test segment, in this order in time. `number` counts from 0."""

    number: int
    train: Segment
    validation: Segment
    test: Segment

    @property
    def segments(self) -> tuple[Segment, Segment, Segment]:
        """Train, validation, test."""
        return self.train, self.validation, self.test


def split(
    series: Sequence[CandleSeries],
    targets: Sequence[Targets],
    config: Config,
    *,
    length: int,
) -> tuple[Fold, ...]:
    """Cut the common history of several instruments.

    The shares count the distinct open times of all instruments together, so a market that sleeps at night is cut by its
    candles, and an instrument that was listed late gets fewer samples, not other boundaries.

    Args:
        series: one per instrument, of the same timeframe.
        targets: their labels, in the same order.
        config: shares and kind.
        length: candles in a window.

    Raises NotEnoughData with the segment and its numbers when a segment holds fewer than `minimum_samples` samples.
    """
    times = np.unique(np.concatenate([s.open_time_ms for s in series]))
    stop_ms = max(int(s.close_time_ms[-1]) for s in series if len(s)) if times.size else 0
    cuts = _cuts(len(times), config)
    if any(a >= b for cut in cuts for a, b in pairwise(cut)):
        raise NotEnoughData(
            f"{len(times)} candles cannot be cut into {len(cuts)} fold(s) of train, validation and test.",
            remedy="Bring more candles or ask for fewer folds.",
        )
    moments = np.append(times, stop_ms)
    folds = []
    for number, cut in enumerate(cuts):
        bounds = [int(moments[position]) for position in cut]
        parts = []
        for name, start, stop in zip(("train", "validation", "test"), bounds[:-1], bounds[1:], strict=True):
            embargo = 0 if name == "train" else config.embargo
            indices = tuple(
                _samples(s, t, start, stop, length, embargo, _usable(s, length, config))
                for s, t in zip(series, targets, strict=True)
            )
            parts.append(Segment(name=name, start_ms=start, stop_ms=stop, indices=indices))
            _require_enough(parts[-1], number, series, targets, config, length)
        folds.append(Fold(number=number, train=parts[0], validation=parts[1], test=parts[2]))
    return tuple(folds)


def _usable(series: CandleSeries, length: int, config: Config) -> NDArray[np.bool_]:
    """Candles that may carry a sample, by the config's wishes; bool of shape (n_candles,)."""
    usable = windows_without_gaps(series, length, config.exclude_gaps)
    if config.samples_from is not None:
        usable &= series.close_time_ms >= to_ms(config.samples_from)
    return usable


def windows_without_gaps(
    series: CandleSeries, length: int, maximum_gap: int | Literal["calendar", "none"]
) -> NDArray[np.bool_]:
    """Where a window of `length` candles may end: bool of shape (n_candles,).

    By a number, a window is out when more candles than that are missing between two of its neighbours. By the calendar,
    when it crosses a break that is no session break of this history (`market.sessions.find_breaks`). "none" keeps all.
    """
    usable = np.arange(len(series)) >= length - 1
    if maximum_gap == "none" or len(series) < max(length, 2):
        return usable
    times, timeframe = series.open_time_ms, series.timeframe
    if maximum_gap == "calendar":
        breaks = find_breaks(times, timeframe)
        wide = np.zeros(len(series), dtype=np.int64)
        wide[breaks.after[~breaks.is_session] + 1] = 1
    else:
        wide = np.concatenate(([0], np.diff(times) / timeframe.milliseconds - 1.0 > maximum_gap))
    crossed = np.cumsum(wide)  # holes up to each candle
    usable[length - 1 :] = crossed[length - 1 :] == crossed[: len(series) - length + 1]
    return usable


def _cuts(n: int, config: Config) -> list[tuple[int, int, int, int]]:
    """Positions among `n` distinct times of each fold's train start, validation start, test start and test stop."""
    past = round(n * (config.train + config.validation))
    validation_share = config.validation / (config.train + config.validation)
    count = config.folds if config.kind == "walk_forward" else 1
    tests = [past + round((n - past) * step / count) for step in range(count + 1)]
    cuts = []
    for test_start, test_stop in pairwise(tests):
        rolls = config.kind == "walk_forward" and config.window == "rolling"
        train_start = test_start - past if rolls else 0
        validation_start = test_start - round((test_start - train_start) * validation_share)
        cuts.append((train_start, validation_start, test_start, test_stop))
    return cuts


def _samples(
    series: CandleSeries,
    targets: Targets,
    start_ms: int,
    stop_ms: int,
    length: int,
    embargo: int,
    usable: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Decision candles whose window and label lie inside the segment."""
    first = int(np.searchsorted(series.open_time_ms, start_ms, side="left"))
    beyond = int(np.searchsorted(series.close_time_ms, stop_ms, side="right"))
    candidates = np.arange(first + embargo + length - 1, beyond, dtype=np.int64)
    keep = (targets.classes[candidates] != UNKNOWN) & (targets.latest_end[candidates] < beyond)
    kept: NDArray[np.int64] = candidates[keep & usable[candidates]]
    return kept


def _require_enough(
    segment: Segment,
    number: int,
    series: Sequence[CandleSeries],
    targets: Sequence[Targets],
    config: Config,
    length: int,
) -> None:
    if len(segment) >= config.minimum_samples:
        return
    inside = [
        int(np.count_nonzero((s.open_time_ms >= segment.start_ms) & (s.close_time_ms <= segment.stop_ms)))
        for s in series
    ]
    horizon = max(t.horizon for t in targets)
    unmoved = [s.symbol for s, t in zip(series, targets, strict=True) if len(t) and (t.classes == UNKNOWN).all()]
    if len(unmoved) == len(series):
        raise NotEnoughData(
            f"No candle of {', '.join(unmoved)} has a label: the price never moves, so there is no volatility to scale "
            "the thresholds by, or no horizon fits into the history.",
            remedy='Check the data with `triptych data check`, or set target.threshold = "fixed".',
        )
    raise NotEnoughData(
        f"The {segment.name} segment of fold {number} ({utc(segment.start_ms)} to {utc(segment.stop_ms)} UTC) holds "
        f"{len(segment)} samples in {sum(inside)} candles of {len(series)} instrument(s), at least "
        f"{config.minimum_samples} are needed: per instrument a window of {length}, a horizon of {horizon} and an "
        f"embargo of {config.embargo} candles are left out.",
        remedy="Bring more candles, shorten the window or the horizon, or ask for fewer folds.",
    )
