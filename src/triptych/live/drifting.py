"""The streams of one model in one instrument: its confidence, whether it was right, and what it sees, each watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from triptych.domain import Prediction
from triptych.inference.base import AbstractView
from triptych.inference.reference import WINDOW_STATISTICS, Reference, window_statistics
from triptych.live.monitoring import DriftWatch, Metrics
from triptych.live.monitoring.drift import Config, DriftView

LOOK_EVERY: Final = 20
"""Readings between two looks at the distance from the reference, which sorts whole windows."""


class Streams:
    """What one model says and sees of one instrument, held against its own training.

    A prediction counts as a hit when the next close lies in the direction that it gave more probability to. ADWIN
    looks at confidence and hits only: windows overlap, so what is seen wanders without having changed.

    Attributes:
        symbol, model: the instrument, and what the model signs with.
    """

    def __init__(
        self,
        symbol: str,
        model: str,
        reference: Reference,
        *,
        config: Config,
        metrics: Metrics,
        note: Callable[[str, str, str, str], None],
    ) -> None:
        """Watch from now on; `note` is told (severity, topic, text, symbol) when a stream is no longer what it was."""
        self.symbol, self.model = symbol, model
        self._quantiles = {name: np.asarray(values) for name, values in reference.quantiles.items()}
        self._length, self._factors = reference.length, reference.factors
        self._config, self._metrics, self._note = config, metrics, note
        self._watches: dict[str, DriftWatch] = {}
        self._beyond: dict[str, float] = {}
        self._changed: dict[str, int] = {}
        self._alarms: dict[str, tuple[str, ...]] = {}
        self._told: dict[str, frozenset[str]] = {}
        self._awaited: tuple[Prediction, float] | None = None
        self._readings = self._silent = 0

    @property
    def alarms(self) -> tuple[str, ...]:
        """Streams that are no longer what they were, in words; empty while all is well."""
        lasting = [f"{name} of {self.symbol}: its mean has changed" for name in self._changed]
        return tuple(dict.fromkeys([*lasting, *(text for texts in self._alarms.values() for text in texts)]))

    @property
    def is_old(self) -> bool:
        """Whether the model has said nothing for more closes than are compared: nobody can tell any more."""
        return self._silent > self._config.window

    def on_close(self, mark: float) -> None:
        """A candle has closed at `mark`: was the last prediction right?"""
        self._silent += 1
        awaited, self._awaited = self._awaited, None
        if awaited is not None and mark != awaited[1]:
            before = awaited[0]
            rose = before.probability_buy > before.probability_sell
            self._watch("hits", float(rose == (mark > awaited[1])))

    def take(self, view: AbstractView, prediction: Prediction, mark: float) -> None:
        """A prediction at a close of `mark`, from what `view` shows."""
        self._readings, self._silent = self._readings + 1, 0
        self._watch("confidence", confidence_of(prediction))
        self._look_at_window(view)
        self._awaited = prediction, mark

    def end(self) -> None:
        """The model is gone: nothing of it is shown any more as if it were measured."""
        nothing = DriftView(psi=float("nan"), ks=float("nan"), ks_p_value=float("nan"), reasons=())
        for name in self._watches:
            self._show(name, nothing)

    def _look_at_window(self, view: AbstractView) -> None:
        history = view.history(self.symbol, self._length) if self._length else None
        if history is None:
            return
        for name, values in window_statistics(history.values[None]).items():
            self._watch(name, float(values[0]))
        seen = {name: x for name, x in self._factors(view, self.symbol).items() if name in self._quantiles}
        for name, value in seen.items():
            psi = self._see(name, value)
            if psi is not None:
                self._beyond.pop(name, None)
            if psi is not None and psi >= self._config.psi_alarm:
                self._beyond[name] = psi
        if seen and self._looks:
            self._judge_factors(len(seen))

    @property
    def _looks(self) -> bool:
        return not self._readings % LOOK_EVERY

    def _watched(self, name: str, *, has_adwin: bool) -> DriftWatch:
        if name not in self._watches:
            self._watches[name] = DriftWatch(name, self._config, self._quantiles.get(name), has_adwin=has_adwin)
        return self._watches[name]

    def _see(self, name: str, value: float) -> float | None:
        """Take in a factor; returns its stability index where that was computed anew."""
        watch = self._watched(name, has_adwin=False)
        watch.update(value)
        return self._show(name, watch.view()).psi if self._looks else None

    def _show(self, name: str, view: DriftView) -> DriftView:
        if name == "hits":
            return view
        psi, ks = (
            (self._metrics.drift_psi, self._metrics.drift_ks) if name == "confidence" else self._metrics.feature(name)
        )
        psi.labels(symbol=self.symbol, model=self.model).set(view.psi)
        ks.labels(symbol=self.symbol, model=self.model).set(view.ks)
        return view

    def _judge_factors(self, count: int) -> None:
        """An alarm when many factors at once are another population."""
        self._alarms["factors"], kinds = (), frozenset[str]()
        beyond: Mapping[str, float] = self._beyond
        if len(beyond) >= self._config.factor_share * count:
            worst = sorted(beyond, key=beyond.__getitem__, reverse=True)[:3]
            named = ", ".join(f"{name} {beyond[name]:.2f}" for name in worst)
            text = f"{len(beyond)} of {count} factors are another population, the farthest {named}"
            self._alarms["factors"], kinds = (text,), frozenset({"psi"})
        self._tell("factors", self._alarms["factors"], kinds)

    def _tell(self, name: str, reasons: Sequence[str], kinds: frozenset[str]) -> None:
        """Once a kind of alarm, until it has ended: the numbers in the words change at every look."""
        if kinds - self._told.get(name, frozenset()):
            self._note("warning", "drift", f"{self.model}: {'; '.join(reasons)}", self.symbol)
        self._told[name] = kinds

    def _watch(self, name: str, value: float) -> None:
        watch = self._watched(name, has_adwin=name not in WINDOW_STATISTICS)
        if watch.update(value):
            self._metrics.drifts.labels(symbol=self.symbol, model=self.model).inc()
            if name not in self._changed:
                self._note("warning", "drift", f"{self.model}: {name}: its mean has changed (ADWIN)", self.symbol)
            self._changed[name] = self._readings + self._config.window
        elif self._changed.get(name, self._readings) < self._readings:
            del self._changed[name]
        if self._looks:
            view = self._show(name, watch.view())
            self._alarms[name] = view.reasons
            self._tell(name, view.reasons, view.kinds)


def confidence_of(prediction: Prediction) -> float:
    """The largest of its three probabilities."""
    return max(prediction.probability_sell, prediction.probability_hold, prediction.probability_buy)
