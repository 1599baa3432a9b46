"""What raises alarms of a switch: a model of switches, the filter of regimes, a siamese network, CUSUM."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.alarm_thresholds import SURE
from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.explaining import series_of
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.windowing import first_end, reach, windows_at
from triptych.domain import CandleSeries
from triptych.domain.errors import ArtifactError, NotEnoughData, RecipeError
from triptych.features.regimes import LONG
from triptych.inference import Artifact, load_artifact, siamese_of
from triptych.inference.classifier import WindowClassifier
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import LEAST_ROWS, WARM_UP, RegimeFilter
from triptych.inference.similar import SPREAD_BY, embeddings_of, require_apart, spread_of
from triptych.inference.switch_model import SwitchModel, log_returns, log_sizes, looks_back, usual_size
from triptych.inference.switches import cusum_alarms, departure_alarms, distance_alarms, switch_alarms
from triptych.market.store import to_ms
from triptych.settings import Recipe

Method = Literal["switches", "filter", "likeness", "cusum"]
HEIGHTS: Final = np.geomspace(1.0, 2000.0, 150)
STEPS: Final = 300
"""Distances that may become a threshold."""
LEAST_TO_FIT: Final = WARM_UP + LEAST_ROWS
"""Candles that a filter of regimes is fitted on at least."""
MEMORY: Final = 480
"""Returns that an alarm on a file is told from, as in a recipe that says nothing else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a watcher says of a history from one candle on.

    Attributes:
        statistic, regime: as in `RegimeAlarms`, shape (n_candles,).
        raised: alarms by threshold, by position in the history.
        thresholds: rising, from the lowest that may be set to the highest; others between them may be set too.
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
        trained: threshold that was set in training, and the false alarms that were asked for; None: none was.
        bound_to_times: whether it looks at candles beside the history's own, at the same times.
    """

    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warm_up: int = WARM_UP
    trained: tuple[float, float] | None = None
    bound_to_times: bool = False

    def alone(self) -> AbstractWatcher:
        """The same alarms without a word of the regimes beside them, which takes longer to tell than they do."""
        return self

    @abstractmethod
    def read(self, series: CandleSeries, first: int) -> Reading:
        """Read a history; alarms are raised from candle `first` on."""


@dataclass(frozen=True, kw_only=True)
class FilterWatcher(AbstractWatcher):
    """Another of the five regimes than the last sure one has become probable enough."""

    teller: RegimeTeller

    def read(self, series: CandleSeries, first: int) -> Reading:
        told = self.teller.probabilities(series)
        known = np.isfinite(told).all(axis=1)
        regime = np.where(known, np.nan_to_num(told).argmax(axis=1), -1)
        statistic = np.where(known, np.nan_to_num(told).max(axis=1), np.nan)

        def raised(threshold: float) -> NDArray[np.int64]:
            return switch_alarms(told[first:], threshold) + first

        return Reading(statistic=statistic, regime=regime, raised=raised, thresholds=SURE)


@dataclass(frozen=True, kw_only=True)
class SwitchWatcher(AbstractWatcher):
    """Any other kind of market than the present one, by the sizes of returns: what a recipe acts on.

    Attributes:
        model: that was fitted where nothing is judged.
        memory: returns that an alarm is told from.
        beside: tells the likeliest regime, since the kinds themselves have no names; None: nobody does.
    """

    model: SwitchModel
    memory: int
    beside: FilterWatcher | None

    def alone(self) -> SwitchWatcher:
        return replace(self, beside=None)

    def read(self, series: CandleSeries, first: int) -> Reading:
        told = self.model.probabilities(series, self.memory)

        def raised(threshold: float) -> NDArray[np.int64]:
            alarms = departure_alarms(told, threshold, self.memory // 2)
            return alarms[alarms >= first]

        regime = np.full(len(series), -1) if self.beside is None else self.beside.read(series, first).regime
        return Reading(statistic=told.max(axis=1), regime=regime, raised=raised, thresholds=SURE)


@dataclass(frozen=True, kw_only=True)
class CusumWatcher(AbstractWatcher):
    """The size of returns has left the level that it had after the last alarm.

    Attributes:
        usual: standard deviation of the returns where nothing is judged.
        centre, scale: mean and standard deviation of the logarithms of their sizes there.
        drift, memory: as in `cusum_alarms`.
        beside: tells the likeliest regime; None: nobody does.
    """

    usual: float
    centre: float
    scale: float
    drift: float = 0.5
    memory: int = 50
    beside: FilterWatcher | None = None

    def alone(self) -> CusumWatcher:
        return replace(self, beside=None)

    def read(self, series: CandleSeries, first: int) -> Reading:
        score = np.full(len(series), np.nan)
        score[1:] = (log_sizes(log_returns(series), self.usual) - self.centre) / self.scale
        begin = max(first, 1)

        def raised(threshold: float) -> NDArray[np.int64]:
            return cusum_alarms(score[begin:], threshold, drift=self.drift, memory=self.memory) + begin

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
    seen = series.head(first)
    if method == "cusum" and len(seen) < LEAST_TO_FIT:
        return cusum_watcher(seen, None)
    _require_enough(series, first, method)
    beside = _filter(RegimeTeller(filter=RegimeFilter.fit([seen]), memory=MEMORY), series, first)
    if method == "filter":
        return beside
    if method == "cusum":
        return cusum_watcher(seen, beside)
    return switch_watcher(SwitchModel.fit([series.head(first)]), MEMORY, beside)


def _require_enough(series: CandleSeries, first: int, method: Method) -> None:
    """Raise NotEnoughData, and say how many candles it takes, where they are too few to fit on or to judge any."""
    before = {"filter": WARM_UP + MEMORY, "switches": looks_back(MEMORY)}.get(method, 0)
    needed = max(math.ceil(LEAST_TO_FIT * len(series) / max(first, 1)), before + 1)
    if first >= LEAST_TO_FIT and len(series) > before:
        return
    raise NotEnoughData(
        f"{series.symbol}: {len(series):,} candles, of which the first {first:,} are fitted on, are too few for alarms "
        f"by {method}: it fits on {LEAST_TO_FIT} at least, and no alarm is possible in the first {before} of all.",
        remedy=f"Bring at least {needed:,} candles; --method cusum needs none of this.",
    )


def watcher_of_run(
    run: Run, symbol: str | None, method: Method | None
) -> tuple[CandleSeries, int, Method, AbstractWatcher]:
    """The candles of a run, the first that its first model has not learnt from, the method, and the watcher.

    Raises RunError for a run that is not complete, ArtifactError where its model has no such method or its network of
    likeness has collapsed.
    """
    run.require_trained()
    candles = candles_of(run)
    series = series_of(candles, symbol)
    start_ms = to_ms(run.record["splits"][0]["test"]["start"])
    first = int(np.searchsorted(series.close_time_ms, start_ms, side="right"))
    artifact = load_artifact(run.fold(0) / "artifact")
    named = method or _method_of(artifact)
    told = artifact.regimes()
    if named in ("filter", "switches"):
        if told is None or (named == "switches" and told.switches is None):
            raise ArtifactError(
                f"The artifact of the run carries no {'filter of regimes' if told is None else 'model of switches'}.",
                remedy="Train the recipe with regimes.use = true, or choose --method cusum.",
            )
        watcher: AbstractWatcher = _filter(told, series, first)
        if named == "switches":
            model, beside = told.switches, watcher
            assert model is not None
            assert isinstance(beside, FilterWatcher)
            watcher = switch_watcher(model, told.memory, beside, trained=(model.threshold, model.asked))
    elif named == "likeness":
        classifier = artifact.classifier()
        recipe = run.recipe
        _require_apart(classifier, recipe, series, first, candles.beside(recipe))
        watcher = LikenessWatcher(
            classifier=classifier, recipe=recipe, companions=candles.beside(recipe),
            warm_up=first_end(recipe) + reach(recipe), bound_to_times=True,
        )  # fmt: skip
    else:
        watcher = cusum_watcher(series.head(first), None)
    return series, first, named, watcher


def _require_apart(
    classifier: WindowClassifier,
    recipe: Recipe,
    series: CandleSeries,
    first: int,
    companions: Mapping[str, CandleSeries],
) -> None:
    """Refuse a network that tells no window before the first judged one from another, or has not learned likeness."""
    siamese_of(classifier)
    ends = np.arange(first_end(recipe), first)
    ends = ends[:: max(1, -(-len(ends) // SPREAD_BY))]
    placed = embeddings_of(classifier, windows_at(recipe, series, ends, companions))
    placed = placed[np.isfinite(placed).all(axis=1)]
    if len(placed) > 1:
        require_apart(spread_of(placed))


def _method_of(artifact: Artifact) -> Method:
    if artifact.card.siamese:
        return "likeness"
    if artifact.card.regimes:
        return "switches" if "switches" in artifact.card.regimes else "filter"
    raise ArtifactError(
        "The model of the run tells neither regimes nor likeness.",
        remedy="Name a run of a recipe with regimes.use = true or with [siamese], or choose --method cusum.",
    )


def _filter(teller: RegimeTeller, series: CandleSeries, first: int) -> FilterWatcher:
    agreement = teller.filter.agreement_on(series.between(max(0, first - LONG), len(series)))
    return FilterWatcher(teller=teller, agreement=agreement, notes=teller.filter.notes(), warm_up=teller.reach)


def switch_watcher(
    model: SwitchModel, memory: int, beside: FilterWatcher, trained: tuple[float, float] | None = None
) -> SwitchWatcher:
    """A watcher by a fitted model of switches."""
    return SwitchWatcher(
        model=model, memory=memory, beside=beside, agreement=beside.agreement, notes=(*beside.notes, *model.notes()),
        warm_up=looks_back(memory), trained=trained,
    )  # fmt: skip


def cusum_watcher(seen: CandleSeries, beside: FilterWatcher | None, **options: Any) -> CusumWatcher:
    """A watcher that knows the usual size of returns from candles that are not judged; `options` as its fields."""
    returns = log_returns(seen)
    if len(returns) < 2:
        raise NotEnoughData(
            f"{seen.symbol}: {len(seen)} candles before the judged part are too few for a usual size of returns.",
            remedy="Bring at least 3.",
        )
    usual = usual_size(returns)
    sizes = log_sizes(returns, usual)
    return CusumWatcher(
        usual=usual, centre=float(sizes.mean()), scale=max(float(sizes.std()), 1e-12), beside=beside,
        agreement=beside.agreement if beside else {}, notes=beside.notes if beside else (), warm_up=1, **options,
    )  # fmt: skip
