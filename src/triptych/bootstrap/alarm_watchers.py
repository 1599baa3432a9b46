"""What raises alarms of a switch: a filter of regimes, a siamese network, CUSUM; each reads a history alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.explaining import series_of
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.windowing import first_end, reach, windows_at
from triptych.domain import CandleSeries
from triptych.domain.errors import ArtifactError, NotEnoughData, RecipeError
from triptych.features.regimes import LONG
from triptych.inference import Artifact, load_artifact, siamese_of
from triptych.inference.classifier import WindowClassifier
from triptych.inference.regimes import WARM_UP, RegimeFilter, measures
from triptych.inference.similar import embeddings_of
from triptych.inference.switches import cusum_alarms, distance_alarms, switch_alarms
from triptych.market.store import to_ms
from triptych.settings import Recipe

Method = Literal["filter", "likeness", "cusum"]
SURE: Final = np.concatenate((np.linspace(0.5, 0.99, 50), 1.0 - np.geomspace(0.009, 1e-7, 40)))
HEIGHTS: Final = np.geomspace(1.0, 2000.0, 150)
STEPS: Final = 300
"""Distances that may become a threshold."""
VOLATILITY: Final = 1
"""Column of the measure that CUSUM adds up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a watcher says of a history from one candle on.

    Attributes:
        statistic, regime: as in `RegimeAlarms`, shape (n_candles,).
        raised: alarms by threshold, by position in the history.
        thresholds: that may be set, rising.
    """

    statistic: NDArray[np.float64]
    regime: NDArray[np.int64]
    raised: Callable[[float], NDArray[np.int64]]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AbstractWatcher(ABC):
    """Reads histories; every alarm depends on candles up to its own.

    Attributes:
        agreement, notes: as in `RegimeAlarms`.
        warm_up: candles before the first that it can say anything of.
    """

    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warm_up: int = WARM_UP

    @abstractmethod
    def read(self, series: CandleSeries, first: int) -> Reading:
        """Read a history; alarms are raised from candle `first` on."""


@dataclass(frozen=True, kw_only=True)
class FilterWatcher(AbstractWatcher):
    """Another regime than the present one has become probable enough; `memory` 0 looks back on the whole history."""

    fitted: RegimeFilter
    memory: int = 0

    def read(self, series: CandleSeries, first: int) -> Reading:
        told = self.fitted.recent(series, self.memory) if self.memory else self.fitted.probabilities(series)
        known = np.isfinite(told).all(axis=1)
        regime = np.where(known, np.nan_to_num(told).argmax(axis=1), -1)
        statistic = np.where(known, np.nan_to_num(told).max(axis=1), np.nan)

        def raised(threshold: float) -> NDArray[np.int64]:
            return switch_alarms(told[first:], threshold) + first

        return Reading(statistic=statistic, regime=regime, raised=raised, thresholds=SURE)


@dataclass(frozen=True, kw_only=True)
class CusumWatcher(AbstractWatcher):
    """The volatility has left the level that it had after the last alarm.

    Attributes:
        centre, scale: mean and standard deviation of its measure where nothing is judged.
        beside: tells the likeliest regime; None: nobody does.
    """

    centre: float
    scale: float
    beside: FilterWatcher | None = None

    def read(self, series: CandleSeries, first: int) -> Reading:
        score = (measures(series)[:, VOLATILITY] - self.centre) / self.scale

        def raised(threshold: float) -> NDArray[np.int64]:
            return cusum_alarms(score[first:], threshold) + first

        regime = np.full(len(series), -1) if self.beside is None else self.beside.read(series, first).regime
        return Reading(statistic=score, regime=regime, raised=raised, thresholds=HEIGHTS)


@dataclass(frozen=True, kw_only=True)
class LikenessWatcher(AbstractWatcher):
    """A window has become unlike the one before it, with which it shares no candle, by a siamese network."""

    classifier: WindowClassifier
    recipe: Recipe
    companions: Mapping[str, CandleSeries]

    def read(self, series: CandleSeries, first: int) -> Reading:
        apart = reach(self.recipe)
        begin = max(first, first_end(self.recipe) + apart)
        if begin >= len(series):
            raise NotEnoughData(
                f"{series.symbol}: {len(series):,} candles hold no two windows of {apart} beside one another.",
                remedy="Bring more candles.",
            )
        ends = np.arange(begin - apart, len(series))
        windows = windows_at(self.recipe, series, ends, self.companions)
        placed = embeddings_of(self.classifier, windows).astype(np.float64)
        change = np.full(len(series), np.nan)
        change[begin:] = np.linalg.norm(placed[apart:] - placed[:-apart], axis=1)
        known = change[np.isfinite(change)]
        if not len(known):
            raise NotEnoughData(
                f"{series.symbol}: no two windows beside one another are known.",
                remedy="Bring candles of the companions for the same time.",
            )
        thresholds = np.unique(np.quantile(known, 1.0 - np.geomspace(0.5, 1.0 / (len(known) + 1), STEPS)))
        raised = partial(_unlike, change, apart=apart)
        regime = np.full(len(series), -1)
        return Reading(statistic=change, regime=regime, raised=raised, thresholds=np.append(thresholds, 2.0))


def _unlike(change: NDArray[np.float64], threshold: float, *, apart: int) -> NDArray[np.int64]:
    return distance_alarms(change, threshold, apart=apart)


def watcher_of_file(series: CandleSeries, first: int, method: Method) -> AbstractWatcher:
    """A watcher that is fitted on the candles before `first`. Raises RecipeError for the method of a network."""
    if method == "likeness":
        raise RecipeError(
            "Likeness is told by a siamese network, and a file of candles has none.",
            remedy="Name a run of a recipe with [siamese], such as `siamese`, instead of the file.",
        )
    watcher = _filter(RegimeFilter.fit([series.head(first)]), series, first, memory=0)
    return watcher if method == "filter" else _cusum(series, first, watcher)


def watcher_of_run(
    run: Run, symbol: str | None, method: Method | None
) -> tuple[CandleSeries, int, Method, AbstractWatcher]:
    """The candles of a run, the first that its first model has not learnt from, the method, and the watcher.

    Raises RunError for a run that is not complete, ArtifactError where its model has no such method.
    """
    run.require_trained()
    candles = candles_of(run)
    series = series_of(candles, symbol)
    start_ms = to_ms(run.record["splits"][0]["test"]["start"])
    first = int(np.searchsorted(series.close_time_ms, start_ms, side="right"))
    artifact = load_artifact(run.fold(0) / "artifact")
    named = method or _method_of(artifact)
    if named == "filter":
        if not artifact.card.regimes:
            raise ArtifactError(
                "The artifact of the run carries no filter of regimes.",
                remedy="Train the recipe with regimes.use = true, or choose --method cusum.",
            )
        regimes = artifact.card.regimes
        fitted = RegimeFilter.from_dict(regimes["filter"])
        watcher: AbstractWatcher = _filter(fitted, series, first, memory=regimes["memory"])
    elif named == "likeness":
        classifier = artifact.classifier()
        siamese_of(classifier)
        recipe = run.recipe
        watcher = LikenessWatcher(
            classifier=classifier, recipe=recipe, companions=candles.beside(recipe),
            warm_up=first_end(recipe) + reach(recipe),
        )  # fmt: skip
    else:
        watcher = _cusum(series, first, None)
    return series, first, named, watcher


def _method_of(artifact: Artifact) -> Method:
    if artifact.card.siamese:
        return "likeness"
    if artifact.card.regimes:
        return "filter"
    raise ArtifactError(
        "The model of the run tells neither regimes nor likeness.",
        remedy="Name a run of a recipe with regimes.use = true or with [siamese], or choose --method cusum.",
    )


def _filter(fitted: RegimeFilter, series: CandleSeries, first: int, *, memory: int) -> FilterWatcher:
    agreement = fitted.agreement_on(series.between(max(0, first - LONG), len(series)))
    return FilterWatcher(fitted=fitted, memory=memory, agreement=agreement, notes=fitted.notes())


def _cusum(series: CandleSeries, first: int, beside: FilterWatcher | None) -> CusumWatcher:
    if first <= WARM_UP + 1:
        raise NotEnoughData(
            f"{series.symbol}: {first} candles before the judged part are too few for a measure of volatility.",
            remedy=f"Bring at least {WARM_UP + 2}.",
        )
    seen = measures(series)[WARM_UP:first, VOLATILITY]
    return CusumWatcher(
        centre=float(seen.mean()), scale=max(float(seen.std()), 1e-12), beside=beside,
        agreement=beside.agreement if beside else {}, notes=beside.notes if beside else (),
    )  # fmt: skip
