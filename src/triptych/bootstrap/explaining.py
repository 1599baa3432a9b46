"""Why a run decided as it did at one time: the model that decided, the window it saw, and the heat on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.windowing import factor_rows, reach, windows_at
from triptych.domain import CLASSES, CandleSeries, Timeframe, utc
from triptych.domain.errors import DataError, NotEnoughData, RunError
from triptych.inference import Artifact, load_artifact
from triptych.inference.explain import (
    METHODS,
    STAGES,
    AxisImportance,
    Deletion,
    Explanation,
    Method,
    cascade,
    deletion,
    explain,
)
from triptych.market import resample
from triptych.market.store import to_ms
from triptych.models.feature_info import FeatureInfo
from triptych.models.multi_task import body_of
from triptych.training.seeds import derive_seed

LEADING = 10
"""Candles and entries of an axis that are named."""


@dataclass(frozen=True, kw_only=True)
class ExplainedDecision:
    """One decision of a run, explained.

    Attributes:
        explanation: heat on the image the network saw; `explanation.heat` has shape (height, width).
        symbol, time_ms: instrument and close of the last candle that was known, UTC milliseconds.
        fold: number of the model that decided.
        learned_from_it: whether that model was trained or stopped by this very candle: then it is no out-of-sample
            decision.
        window: the candles of the window, with their times.
    """

    explanation: Explanation
    symbol: str
    time_ms: int
    fold: int
    learned_from_it: bool
    window: CandleSeries

    def leading_candles(self, count: int = LEADING) -> list[dict[str, Any]]:
        """The candles that matter most: open time, how many candles ago, close, importance and its share of all.

        None of them where there is no heat.
        """
        values = self.explanation.by_candle
        if values is None or self.explanation.is_flat:
            return []
        whole = float(np.abs(values).sum()) or 1.0
        order = np.argsort(-np.abs(values), kind="stable")[:count]
        return [
            {
                "open_time": utc(int(self.window.open_time_ms[i])),
                "candles_ago": len(values) - 1 - int(i),
                "close": float(self.window.close[i]),
                "importance": float(values[i]),
                "share": float(abs(values[i]) / whole),
            }
            for i in order
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        one = self.explanation
        return {
            "symbol": self.symbol,
            "time": utc(self.time_ms),
            "fold": self.fold,
            "learned_from_it": self.learned_from_it,
            "method": one.method,
            "target": one.target,
            "probabilities": {name: float(p) for name, p in zip(CLASSES, one.probabilities, strict=True)},
            "facts": one.facts,
            "flat": one.is_flat,
            "leading_candles": self.leading_candles(),
            "by_candle": None if one.by_candle is None else one.by_candle.tolist(),
            "candles": [utc(int(time)) for time in self.window.open_time_ms],
            "axes": [
                {"kind": axis.kind, "names": list(axis.names), "importance": axis.values.tolist()} for axis in one.axes
            ],
            "heat": one.heat.tolist(),
        }


def explain_decision(
    run: Run,
    *,
    at: str = "",
    symbol: str | None = None,
    method: Method | None = None,
    target: str = "",
    candles: Candles | None = None,
) -> ExplainedDecision:
    """Explain what a run said at one time, with the model that was in charge then.

    Args:
        run: a trained run of one model.
        at: close of the candle after which the decision fell, UTC, such as 2023-11-05T12:00; between two closes the
            earlier one. Empty takes the last candle.
        symbol: instrument; None takes the first.
        method: see `triptych.inference.explain`; None takes integrated gradients, of a model with trees occlusion.
        target: class to explain; empty takes the likeliest.
        candles: the run's candles, where they have been loaded already.

    Raises RunError for a consensus or an untrained run, DataError for a time or an instrument that is not there,
    NotEnoughData where no window is full, RecipeError for a method that the network does not allow.
    """
    candles = candles or _candles(run)
    series = series_of(candles, symbol)
    end = end_at(series, at)
    fold, learned = model_in_charge(run, int(series.close_time_ms[end]))
    artifact = load_artifact(run.fold(fold) / "artifact")
    window = _window(run, candles, series, end)
    found = explain(artifact.classifier(), window, method=method or _usual(artifact), target=target)
    return ExplainedDecision(
        explanation=_named(found, run, series.symbol),
        symbol=series.symbol,
        time_ms=int(series.close_time_ms[end]),
        fold=fold,
        learned_from_it=learned,
        window=_shown(run, series, end, artifact.card.length),
    )


def check_explanations(
    run: Run, *, decisions: int = 8, symbol: str | None = None, methods: tuple[Method, ...] = ()
) -> list[dict[str, Any]]:
    """Sanity checks of every method on decisions of the last fold's test, evenly spread.

    Returns:
        One row a method: `correlation` of the heat with that of a network of shuffled weights, in stages; `area` under
        the deletion curve, that of random orders, and the share of random orders that lose certainty later, with
        `interval`, the 95 % interval of that share (bootstrap over decisions). `flat` decisions, whose map holds no
        heat, are left out of all of them; figures are None where none is left, correlations also where the shuffled
        network had no heat.

    Raises as `explain_decision`.
    """
    candles = _candles(run)
    series = series_of(candles, symbol)
    number = int(run.record["folds"]) - 1
    artifact = load_artifact(run.fold(number) / "artifact")
    classifier = artifact.classifier()
    first, last = _period(run, number, "test")
    ends = np.flatnonzero((series.close_time_ms > first) & (series.close_time_ms <= last))
    chosen = ends[np.linspace(0, len(ends) - 1, min(decisions, len(ends))).astype(np.int64)]
    rows: list[dict[str, Any]] = []
    for method in methods or _usable(artifact):
        stages: list[list[float | None]] = []
        deletions: list[Deletion] = []
        for end in chosen.tolist():
            window = _window(run, candles, series, end)
            seed = derive_seed(run.recipe.seed, "explanations", end)
            found = explain(classifier, window, method=method)
            if found.is_flat:
                continue
            stages.append([stage.correlation for stage in cascade(classifier, window, method=method, seed=seed)])
            deletions.append(deletion(classifier, window, found, seed=seed))
        beaten = [one.beaten for one in deletions]
        correlation: list[float | None] = [_mean(stage) for stage in zip(*stages, strict=True)] or [None] * STAGES
        rows.append(
            {
                "method": method,
                "decisions": len(chosen),
                "flat": len(chosen) - len(deletions),
                "correlation": correlation,
                "area": _mean([one.area for one in deletions]),
                "random_area": _mean([one.random_area for one in deletions]),
                "beaten": _mean(beaten),
                "interval": _interval(beaten, derive_seed(run.recipe.seed, "explanations", method)),
            }
        )
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _interval(values: Sequence[float], seed: int) -> list[float] | None:
    """The 95 % interval of a mean by the bootstrap; None for fewer than two values."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(seed % 2**32).choice(np.array(values), (2000, len(values)))
    return [float(value) for value in np.quantile(drawn.mean(axis=1), (0.025, 0.975))]


def _usual(artifact: Artifact) -> Method:
    return "occlusion" if artifact.card.boosting else "integrated_gradients"


def _usable(artifact: Artifact) -> tuple[Method, ...]:
    if artifact.card.boosting:
        return ("occlusion",)
    has_maps = isinstance(getattr(body_of(artifact.classifier().network), "feature_info", None), FeatureInfo)
    return tuple(method for method in METHODS if has_maps or not method.endswith("cam"))


def _candles(run: Run) -> Candles:
    run.require_trained()
    if run.recipe.members:
        names = ", ".join(str(run.folder / "members" / member.name) for member in run.recipe.members)
        raise RunError(
            f"{run.folder} is a consensus, whose members decide each for itself.", remedy=f"Explain one of {names}."
        )
    return candles_of(run)


def series_of(candles: Candles, symbol: str | None) -> CandleSeries:
    """The traded instrument of that name, or the first. Raises DataError for one that is not traded."""
    if symbol is None:
        return candles.series[0]
    found = {one.symbol: one for one in candles.series}
    if symbol not in found:
        raise DataError(f"The run does not trade {symbol}.", remedy=f"It trades {', '.join(found)}.")
    return found[symbol]


def end_at(series: CandleSeries, at: str) -> int:
    """The last candle that had closed by then. Raises DataError for a time outside the history."""
    if not at:
        return len(series) - 1
    end = int(np.searchsorted(series.close_time_ms, to_ms(at), side="right")) - 1
    if end < 0 or to_ms(at) > int(series.close_time_ms[-1]) + series.timeframe.milliseconds:
        first, last = (utc(int(series.close_time_ms[i])) for i in (0, -1))
        raise DataError(
            f"{series.symbol} has no candle that closed at {at}.",
            remedy=f"Its candles close from {first} to {last} UTC.",
        )
    return end


def model_in_charge(run: Run, time_ms: int) -> tuple[int, bool]:
    """The fold whose model decided at a time, and whether it had learned from that candle; else the newest one."""
    for number in range(int(run.record["folds"])):
        first, last = _period(run, number, "test")
        if first < time_ms <= last:
            return number, False
    newest = int(run.record["folds"]) - 1
    return newest, time_ms <= _period(run, newest, "test")[0]


def _period(run: Run, fold: int, segment: str) -> tuple[int, int]:
    found = run.record["splits"][fold][segment]
    return to_ms(found["start"]), to_ms(found["stop"])


def _window(run: Run, candles: Candles, series: CandleSeries, end: int) -> NDArray[np.float32]:
    """What the network read at the close of a candle, made from candles up to it."""
    length = reach(run.recipe)
    if end + 1 < length:
        raise NotEnoughData(
            f"{series.symbol}: {end + 1} candles by {utc(int(series.close_time_ms[end]))} do not fill a window of "
            f"{length}.",
            remedy=f"The first window closes at {utc(int(series.close_time_ms[length - 1]))} UTC.",
        )
    known = series.between(0, end + 1)
    beside = {name: _until(one, int(known.close_time_ms[-1])) for name, one in candles.beside(run.recipe).items()}
    window: NDArray[np.float32] = windows_at(run.recipe, known, np.array([end]), beside)[0]
    return window


def _shown(run: Run, series: CandleSeries, end: int, length: int) -> CandleSeries:
    """The candles of the window: the last ones, or the last longer ones that had closed."""
    known, period = series.between(0, end + 1), run.recipe.features.period
    shown = known if period == 1 else resample(known, Timeframe(period * series.timeframe.milliseconds))
    return shown.between(len(shown) - length, len(shown))


def _until(series: CandleSeries, time_ms: int) -> CandleSeries:
    return series.between(0, int(np.searchsorted(series.close_time_ms, time_ms, side="right")))


def _named(found: Explanation, run: Run, symbol: str) -> Explanation:
    """The explanation with factors called by their names instead of their places."""
    rows = factor_rows(run.recipe)
    if rows is None:
        return found
    names = []
    for period in rows.periods:
        length = "" if period == 1 else f" x{period}"
        for owner in (symbol, *rows.beside(symbol)):
            whose = "" if owner == symbol else f"{owner} "
            names += [f"{whose}{column}{length}" for column in rows.columns]
    axes = tuple(
        AxisImportance(kind=axis.kind, names=tuple(names), values=axis.values)
        if axis.kind == "factor" and len(axis.names) == len(names)
        else axis
        for axis in found.axes
    )
    return Explanation(**{**vars(found), "axes": axes})
