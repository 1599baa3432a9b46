"""What is measured at every decision: confidences and their drift, hits, equity, exposures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from triptych.domain import Prediction, Vote
from triptych.inference.reference import window_statistics
from triptych.live.monitoring import DriftWatch, Metrics
from triptych.live.monitoring.drift import Config as DriftConfig
from triptych.trading.engine import Engine

NO_REFERENCE: Final[Mapping[str, Sequence[float]]] = MappingProxyType({})
LOOK_EVERY: Final = 20
"""Decisions between two looks at the distance from the reference, which sorts whole windows."""


class Observer:
    """Feeds the metrics. Watches two streams an instrument: the model's confidence, and whether it was right.

    A prediction counts as a hit when the next close lies in the direction that it gave more probability to.
    """

    def __init__(
        self,
        metrics: Metrics,
        config: DriftConfig,
        note: Callable[[str, str, str, str], None],
        *,
        reference: Mapping[str, Sequence[float]] = NO_REFERENCE,
        length: int = 0,
    ) -> None:
        """Tell `note` (severity, topic, text, symbol) when a stream is no longer what it was.

        Args:
            metrics, config, note: the parts.
            reference: quantiles of the streams when the model was trained, by name; see `inference.reference`. A stream
                without one takes its own first window.
            length: candles of a window whose statistics are watched; 0: none are.
        """
        self._reference = {name: np.asarray(values) for name, values in reference.items()}
        self._length = length
        self._changed: dict[tuple[str, str, str], int] = {}
        self._metrics, self.config, self._note = metrics, config, note
        self._watches: dict[tuple[str, str, str], DriftWatch] = {}
        self._awaited: dict[str, tuple[Prediction, float]] = {}
        self._told: dict[tuple[str, str, str], tuple[str, ...]] = {}
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
        return tuple(dict.fromkeys([*lasting, *(text for texts in self._told.values() for text in texts)]))

    def _look_at_window(self, engine: Engine, symbol: str, model: str) -> None:
        history = engine.history(symbol, self._length) if self._length else None
        if history is not None:
            for name, values in window_statistics(history.values[None]).items():
                self._watch(symbol, model, name, float(values[0]))

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
            watch = self._watches[key] = DriftWatch(what, self.config, self._reference.get(what))
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
        if view.reasons and view.reasons != self._told.get(key):
            self._note("warning", "drift", f"{model}: {'; '.join(view.reasons)}", symbol)
        self._told[key] = view.reasons


def _likeliest(said: Prediction | Vote) -> int:
    """Position of the likeliest class in `CLASSES`."""
    probabilities = (said.probability_sell, said.probability_hold, said.probability_buy)
    return max(range(3), key=probabilities.__getitem__)
