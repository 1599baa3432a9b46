"""What is measured at every decision: confidences, hits and features with their drift, equity, exposures."""

from __future__ import annotations

from collections.abc import Callable, Collection

from triptych.domain import Prediction, Vote
from triptych.live.drifting import Streams, confidence_of
from triptych.live.failover import Ladder, Outcome
from triptych.live.monitoring import Metrics
from triptych.live.monitoring.drift import Config as DriftConfig
from triptych.trading.engine import Engine


class Observer:
    """Feeds the metrics. Watches, of each instrument and each model, its confidence, whether it was right, and what it
    sees: statistics of its windows, and each factor that it reads.

    Every model is held against its own training: a stand-in, or a new model in the place of an old one, too.
    """

    def __init__(self, metrics: Metrics, config: DriftConfig, note: Callable[[str, str, str, str], None]) -> None:
        """Tell `note` (severity, topic, text, symbol) when a stream is no longer what it was."""
        self._metrics, self.config, self._note = metrics, config, note
        self._streams: dict[tuple[str, str], Streams] = {}
        self._peak = 0.0

    def restore(self, peak: float) -> None:
        """Go on from the peak of the equity that an earlier process has seen, quote currency."""
        self._peak = max(self._peak, peak)

    def on_decision(self, engine: Engine, outcome: Outcome, closed: Collection[str]) -> None:
        """Measure one decision on the candles of `closed`, which `engine` has taken by what `outcome` foretells."""
        self._account(engine)
        for (symbol, _), streams in self._streams.items():
            if symbol in closed:
                streams.on_close(engine.portfolio.last_mark(symbol))
        for symbol, prediction in outcome.predictions.items():
            if prediction is not None:
                self._agree(symbol, prediction)
                confidence = self._metrics.confidence.labels(symbol=symbol, model=prediction.model)
                confidence.observe(confidence_of(prediction))
                self._take(engine, outcome, prediction)

    def on_trial(self, engine: Engine, outcome: Outcome) -> None:
        """Measure what a model has said that does not decide; an answer about an older close than the newest is late,
        and passed over.
        """
        for symbol, prediction in outcome.predictions.items():
            newest = engine.history(symbol, 1)
            if prediction is not None and newest is not None and prediction.time_ms == newest.close_time_ms[-1]:
                self._take(engine, outcome, prediction)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Streams that are no longer what they were, in words; empty while all is well. What a model has left behind
        that was not asked for a whole window counts no more.
        """
        found = (streams.alarms for streams in self._streams.values() if not streams.is_old)
        return tuple(dict.fromkeys(text for alarms in found for text in alarms))

    def heed(self, engine: Engine, ladder: Ladder) -> str:
        """What an alarm of drift changes, by policy, from the next decision on; it ends with the alarm. Returns it in
        words, empty where nothing changes.

        The size follows every model that is asked. Who decides follows the first one alone: a stand-in that drifts as
        well is no reason to keep the first one from deciding, and the first one's alarm ends by its own readings only.
        """
        self._forget(ladder)
        policy = self.config.policy
        alarms = self._alarms_of(ladder.levels[0].model) if policy == "fallback" else self.alarms
        share = self.config.reduce_to if alarms and policy == "reduce" else 1.0
        floor = ladder.stand_in if alarms and policy == "fallback" else 0
        if (share, floor) == (engine.share, ladder.floor):
            return ""
        engine.share, ladder.floor = share, floor
        return f"policy {policy}: {'; '.join(alarms)}" if alarms else "the alarm is over"

    def _alarms_of(self, model: str) -> tuple[str, ...]:
        found = (streams.alarms for (_, one), streams in self._streams.items() if one == model)
        return tuple(dict.fromkeys(text for alarms in found for text in alarms))

    def _forget(self, ladder: Ladder) -> None:
        """What a model has said ends with it, alarms too."""
        known = {level.model for level in ladder.levels}
        for key in [key for key in self._streams if key[1] not in known]:
            self._streams.pop(key).end()

    def _take(self, engine: Engine, outcome: Outcome, prediction: Prediction) -> None:
        key = prediction.symbol, outcome.model
        if key not in self._streams:
            self._streams[key] = Streams(
                prediction.symbol, prediction.model, outcome.reference, config=self.config, metrics=self._metrics,
                note=self._note,
            )  # fmt: skip
        self._streams[key].take(engine, prediction, engine.portfolio.last_mark(prediction.symbol))

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
