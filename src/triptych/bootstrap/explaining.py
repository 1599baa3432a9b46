"""Why a run decided as it did at one time: the model that decided, the window it saw, and the heat on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.probing import cut_with
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.windowing import factor_rows, first_end, possible_ends, reach, windows_at
from triptych.domain import CLASSES, CandleSeries, Timeframe, utc
from triptych.domain.errors import DataError, NotEnoughData, RunError
from triptych.inference import Artifact, load_artifact
from triptych.inference.explain import METHODS, Explanation, Method, explain
from triptych.market import resample
from triptych.market.store import to_ms
from triptych.models.feature_info import FeatureInfo
from triptych.models.multi_task import body_of
from triptych.settings import Recipe

LEADING = 10
"""Candles and entries of an axis that are named."""
LAST: Final = "last"
"""Instead of a time: the newest candle there is."""


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
        chosen: why this one was chosen, in a sentence; empty of one that was asked for.
    """

    explanation: Explanation
    symbol: str
    time_ms: int
    fold: int
    learned_from_it: bool
    window: CandleSeries
    chosen: str = ""

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
            "chosen": self.chosen,
            "method": one.method,
            "target": one.target,
            "probabilities": {name: float(p) for name, p in zip(CLASSES, one.probabilities, strict=True)},
            "facts": one.facts,
            "flat": one.is_flat,
            "leading_candles": self.leading_candles(),
            "by_candle": None if one.by_candle is None else one.by_candle.tolist(),
            "candles": [utc(int(time)) for time in self.window.open_time_ms],
            "axes": [axis.to_dict() for axis in one.axes],
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
    """Explain what a run of one model said at one time, with the model that was in charge then.

    Args:
        run: a trained run; of a consensus see `explain_consensus`.
        at: close of the candle after which the decision fell, UTC, such as 2023-11-05T12:00; between two closes the
            earlier one. `last` or nothing takes the last candle.
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
    found = explained_by(artifact, run.recipe, candles, series, end, method=method, target=target)
    return replace(found, fold=fold, learned_from_it=learned)


def explained_by(
    artifact: Artifact,
    recipe: Recipe,
    candles: Candles,
    series: CandleSeries,
    end: int,
    *,
    method: Method | None = None,
    target: str = "",
) -> ExplainedDecision:
    """Explain what one model says at the close of candle `end`; its recipe says what it reads.

    Raises NotEnoughData where no window is full, RecipeError for a method that the network does not allow.
    """
    window = window_at(recipe, candles, series, end)
    found = explain(artifact.classifier(), window, method=method or usual(artifact), target=target)
    return ExplainedDecision(
        explanation=_named(found, recipe, series.symbol),
        symbol=series.symbol,
        time_ms=int(series.close_time_ms[end]),
        fold=0,
        learned_from_it=False,
        window=_shown(recipe, series, end, artifact.card.length),
    )


def usual(artifact: Artifact) -> Method:
    """The method that fits a model whose view is not known: trees have no gradient."""
    return "occlusion" if artifact.card.boosting else "integrated_gradients"


def methods_of(artifact: Artifact) -> tuple[Method, ...]:
    """The methods that a model allows."""
    if artifact.card.boosting:
        return ("occlusion",)
    has_maps = isinstance(getattr(body_of(artifact.classifier().network), "feature_info", None), FeatureInfo)
    return tuple(method for method in METHODS if has_maps or not method.endswith("cam"))


def _candles(run: Run) -> Candles:
    run.require_trained()
    if run.recipe.members:
        names = ", ".join(str(run.folder / "members" / member.name) for member in run.recipe.members)
        raise RunError(
            f"{run.folder} is a consensus, whose members decide each for itself.",
            remedy=f"Explain it by explain_consensus, or one of {names}.",
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
    """The last candle that had closed by then; of all for `last` or nothing. Raises DataError for a time outside."""
    if at in ("", LAST):
        return len(series) - 1
    end = int(np.searchsorted(series.close_time_ms, to_ms(at), side="right")) - 1
    if end < 0 or to_ms(at) > int(series.close_time_ms[-1]) + series.timeframe.milliseconds:
        first, last = (utc(int(series.close_time_ms[i])) for i in (0, -1))
        raise DataError(
            f"{series.symbol} has no candle that closed at {at}.",
            remedy=f"Its candles close from {first} to {last} UTC.",
        )
    return end


def model_in_charge(run: Run, time_ms: int, first_fold: int = 0) -> tuple[int, bool]:
    """The fold whose model decided at a time, and whether it had learned from that candle; else the newest one.

    Folds before `first_fold` have no model.
    """
    for number in range(first_fold, int(run.record["folds"])):
        first, last = _tested(run, number)
        if first < time_ms <= last:
            return number, False
    newest = int(run.record["folds"]) - 1
    return newest, time_ms <= _tested(run, newest)[0]


def _tested(run: Run, fold: int) -> tuple[int, int]:
    found = run.record["splits"][fold]["test"]
    return to_ms(found["start"]), to_ms(found["stop"])


def window_at(recipe: Recipe, candles: Candles, series: CandleSeries, end: int) -> NDArray[np.float32]:
    """What a recipe's network reads at the close of a candle, made from candles up to it.

    Raises NotEnoughData where no window is full, DataError where none closes: in the middle of a trading day that is
    drawn as a whole.
    """
    fills, needed = reach(recipe), first_end(recipe) + 1
    closed = utc(int(series.close_time_ms[end]))
    if end + 1 < needed:
        there = possible_ends(recipe, series)
        before = f" and the {needed - fills} before it that its values rest on" if needed > fills else ""
        raise NotEnoughData(
            f"{series.symbol}: {end + 1} candles by {closed} do not fill a window of {fills}{before}.",
            remedy=first_window(series, int(there[0]) if len(there) else max(needed - 1, len(series))),
        )
    ends = possible_ends(recipe, series.between(0, end + 1))
    if end not in ends:
        last = f"The last one before closed at {utc(int(series.close_time_ms[ends[-1]]))} UTC." if len(ends) else ""
        raise DataError(
            f"{series.symbol}: no window closes at {closed}, in the middle of a trading day.",
            remedy=last or "Ask for a later one.",
        )
    known = series.between(0, end + 1)
    beside = cut_with(known, candles.beside(recipe))
    window: NDArray[np.float32] = windows_at(recipe, known, np.array([end]), beside)[0]
    return window


def first_window(series: CandleSeries, end: int) -> str:
    """When the first window closes, with candle `end` of a history: the remedy for asking too early."""
    if end >= len(series):
        return f"The first window closes with candle {end + 1:,}, and the history has {len(series):,}: bring more."
    return f"The first window closes at {utc(int(series.close_time_ms[end]))} UTC."


def _shown(recipe: Recipe, series: CandleSeries, end: int, length: int) -> CandleSeries:
    """The candles of the window: the last ones, or the last longer ones that had closed."""
    known, period = series.between(0, end + 1), recipe.features.period
    shown = known if period == 1 else resample(known, Timeframe(period * series.timeframe.milliseconds))
    return shown.between(len(shown) - length, len(shown))


def _named(found: Explanation, recipe: Recipe, symbol: str) -> Explanation:
    """The explanation with factors called by their names instead of their places."""
    rows = factor_rows(recipe)
    if rows is None:
        return found
    names = []
    for period in rows.periods:
        length = "" if period == 1 else f" x{period}"
        for owner in (symbol, *rows.beside(symbol)):
            whose = "" if owner == symbol else f"{owner} "
            names += [f"{whose}{column}{length}" for column in rows.columns]
    axes = tuple(
        replace(axis, names=tuple(names)) if axis.kind == "factor" and len(axis.names) == len(names) else axis
        for axis in found.axes
    )
    return Explanation(**{**vars(found), "axes": axes})
