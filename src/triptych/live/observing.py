"""What is measured at every decision: confidences, hits and features with their drift, equity, exposures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from triptych.domain import Prediction, Vote
from triptych.inference.base import AbstractView
from triptych.inference.reference import WINDOW_STATISTICS, window_statistics
from triptych.live.failover import Ladder, Outcome
from triptych.live.monitoring import DriftWatch, Metrics
from triptych.live.monitoring.drift import Config as DriftConfig
from triptych.live.monitoring.drift import DriftView
from triptych.trading.engine import Engine

NO_REFERENCE: Final[Mapping[str, Sequence[float]]] = MappingProxyType({})
LOOK_EVERY: Final = 20
"""Decisions between two looks at the distance from the reference, which sorts whole windows."""


def no_factors(_view: AbstractView, _symbol: str) -> Mapping[str, float]:
    """Of a model that reads candles."""
    return {}


class Observer:
    """Feeds the metrics. Watches, of each instrument, the model's confidence, whether it was right, and what it sees:
    statistics of its windows, and each factor that it reads.

    A prediction counts as a hit when the next close lies in the direction that it gave more probability to. ADWIN
    looks at confidence and hits only: windows overlap, so what is seen wanders without having changed.
    """

    def __init__(
        self,
        metrics: Metrics,
        config: DriftConfig,
        note: Callable[[str, str, str, str], None],
        *,
        reference: Mapping[str, Sequence[float]] = NO_REFERENCE,
        length: int = 0,
        factors: Callable[[AbstractView, str], Mapping[str, float]] = no_factors,
    ) -> None:
        """Tell `note` (severity, topic, text, symbol) when a stream is no longer what it was.

        Args:
            metrics, config, note: the parts.
            reference: quantiles of the streams when the model was trained, by name; see `inference.reference`. A stream
                without one takes its own first window.
            length: candles of a window whose statistics are watched; 0: none are.
            factors: what the model reads of an instrument now, by factor; those without a reference are not watched.
        """
        self._reference = {name: np.asarray(values) for name, values in reference.items()}
        self._length, self._factors = length, factors
        self._beyond: dict[tuple[str, str], dict[str, float]] = {}
        self._changed: dict[tuple[str, str, str], int] = {}
        self._metrics, self.config, self._note = metrics, config, note
        self._watches: dict[tuple[str, str, str], DriftWatch] = {}
        self._awaited: dict[str, tuple[Prediction, float]] = {}
        self._alarms: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._told: dict[tuple[str, str, str], frozenset[str]] = {}
        self._peak = 0.0
        self._decisions = 0

    def restore(self, peak: float) -> None:
        """Go on from the peak of the equity that an earlier process has seen, quote currency."""
        self._peak = max(self._peak, peak)

    def on_decision(self, engine: Engine, predictions: Mapping[str, Prediction | None]) -> None:
        """Measure one decision; `engine` has decided on these predictions."""
        self._decisions += 1
        self._account(engine)
        for symbol, prediction in predictions.items():
            mark = engine.portfolio.last_mark(symbol)
            awaited = self._awaited.pop(symbol, None)
            if awaited is not None and mark != awaited[1]:
                before = awaited[0]
                rose = before.probability_buy > before.probability_sell
                self._watch(symbol, before.model, "hits", float(rose == (mark > awaited[1])))
            if prediction is None:
                continue
            self._agree(symbol, prediction)
            confidence = max(prediction.probability_sell, prediction.probability_hold, prediction.probability_buy)
            self._metrics.confidence.labels(symbol=symbol, model=prediction.model).observe(confidence)
            self._watch(symbol, prediction.model, "confidence", confidence)
            self._look_at_window(engine, symbol, prediction.model)
            self._awaited[symbol] = prediction, mark

    @property
    def alarms(self) -> tuple[str, ...]:
        """Streams that are no longer what they were, in words; empty while all is well."""
        lasting = [f"{key[2]} of {key[0]}: its mean has changed" for key in self._changed]
        return tuple(dict.fromkeys([*lasting, *(text for texts in self._alarms.values() for text in texts)]))

    def heed(self, engine: Engine, ladder: Ladder) -> str:
        """What an alarm of drift changes, by policy, from the next decision on; it ends with the alarm. Returns it in
        words, empty where nothing changes.
        """
        policy, has_alarm = self.config.policy, bool(self.alarms)
        share = self.config.reduce_to if has_alarm and policy == "reduce" else 1.0
        floor = int(has_alarm and policy == "fallback")
        if (share, floor) == (engine.share, ladder.floor):
            return ""
        engine.share, ladder.floor = share, floor
        return f"policy {policy}: {'; '.join(self.alarms)}" if has_alarm else "the alarm is over"

    def _look_at_window(self, engine: Engine, symbol: str, model: str) -> None:
        history = engine.history(symbol, self._length) if self._length else None
        if history is None:
            return
        for name, values in window_statistics(history.values[None]).items():
            self._watch(symbol, model, name, float(values[0]))
        seen = {name: x for name, x in self._factors(engine, symbol).items() if name in self._reference}
        beyond = self._beyond.setdefault((symbol, model), {})
        for name, value in seen.items():
            psi = self._see(symbol, model, name, value)
            if psi is not None:
                beyond.pop(name, None)
            if psi is not None and psi >= self.config.psi_alarm:
                beyond[name] = psi
        if seen and not self._decisions % LOOK_EVERY:
            self._judge_factors(symbol, model, len(seen), beyond)

    def _see(self, symbol: str, model: str, name: str, value: float) -> float | None:
        """Take in a factor; returns its stability index where that was computed anew."""
        key = symbol, model, name
        watch = self._watches.get(key)
        if watch is None:
            watch = DriftWatch(name, self.config, self._reference[name], has_adwin=False)
            self._watches[key] = watch
        watch.update(value)
        if self._decisions % LOOK_EVERY:
            return None
        return self._show_feature(symbol, model, name, watch.view()).psi

    def _show_feature(self, symbol: str, model: str, name: str, view: DriftView) -> DriftView:
        psi, ks = self._metrics.feature(name)
        psi.labels(symbol=symbol, model=model).set(view.psi)
        ks.labels(symbol=symbol, model=model).set(view.ks)
        return view

    def _judge_factors(self, symbol: str, model: str, count: int, beyond: Mapping[str, float]) -> None:
        """An alarm when many factors at once are another population."""
        key = symbol, model, "factors"
        self._alarms[key], kinds = (), frozenset[str]()
        if len(beyond) >= self.config.factor_share * count:
            worst = sorted(beyond, key=beyond.__getitem__, reverse=True)[:3]
            named = ", ".join(f"{name} {beyond[name]:.2f}" for name in worst)
            self._alarms[key] = (f"{len(beyond)} of {count} factors are another population, the farthest {named}",)
            kinds = frozenset({"psi"})
        self._tell(key, self._alarms[key], kinds)

    def _tell(self, key: tuple[str, str, str], reasons: Sequence[str], kinds: frozenset[str]) -> None:
        """Once a kind of alarm, until it has ended: the numbers in the words change at every look."""
        if kinds - self._told.get(key, frozenset()):
            self._note("warning", "drift", f"{key[1]}: {'; '.join(reasons)}", key[0])
        self._told[key] = kinds

    def _agree(self, symbol: str, prediction: Prediction) -> None:
        if prediction.votes:
            wanted = _likeliest(prediction)
            share = sum(_likeliest(vote) == wanted for vote in prediction.votes) / len(prediction.votes)
            self._metrics.agreement.labels(symbol=symbol).set(share)

    def _account(self, engine: Engine) -> None:
        equity = engine.portfolio.equity()
        self._peak = max(self._peak, equity)
        self._metrics.equity.set(equity)
        self._metrics.drawdown.set(1.0 - equity / self._peak if self._peak > 0 else 0.0)
        for symbol in engine.symbols:
            share = engine.portfolio.quantity(symbol) * engine.portfolio.last_mark(symbol) / equity if equity > 0 else 0
            self._metrics.exposure.labels(symbol=symbol).set(share)

    def _watch(self, symbol: str, model: str, what: str, value: float) -> None:
        key = symbol, model, what
        watch = self._watches.get(key)
        if watch is None:
            is_seen = what in WINDOW_STATISTICS
            watch = DriftWatch(what, self.config, self._reference.get(what), has_adwin=not is_seen)
            self._watches[key] = watch
        if watch.update(value):
            self._metrics.drifts.labels(symbol=symbol, model=model).inc()
            if key not in self._changed:
                self._note("warning", "drift", f"{model}: {what}: its mean has changed (ADWIN)", symbol)
            self._changed[key] = self._decisions + self.config.window
        elif self._changed.get(key, self._decisions) < self._decisions:
            del self._changed[key]
        if self._decisions % LOOK_EVERY:
            return
        view = watch.view()
        if what == "confidence":
            self._metrics.drift_psi.labels(symbol=symbol, model=model).set(view.psi)
            self._metrics.drift_ks.labels(symbol=symbol, model=model).set(view.ks)
        elif what in WINDOW_STATISTICS:
            self._show_feature(symbol, model, what, view)
        self._alarms[key] = view.reasons
        self._tell(key, view.reasons, view.kinds)


def measure(metrics: Metrics, outcome: Outcome) -> str:
    """Count what the ladder of models did. Returns its failures in words."""
    for name, seconds in outcome.seconds.items():
        metrics.inference.labels(model=name).observe(seconds)
    for name in outcome.failures.keys() - outcome.unasked:
        metrics.model_failures.labels(model=name).inc()
    metrics.fallback_level.set(outcome.level)
    if outcome.level:
        metrics.fallback_decisions.inc()
    else:
        metrics.fallback_decisions.set(0)
    return "; ".join(f"{name}: {why}" for name, why in outcome.failures.items())


def _likeliest(said: Prediction | Vote) -> int:
    """Position of the likeliest class in `CLASSES`."""
    probabilities = (said.probability_sell, said.probability_hold, said.probability_buy)
    return max(range(3), key=probabilities.__getitem__)
