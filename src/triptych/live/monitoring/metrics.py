"""What Prometheus reads: one registry an instance, names `triptych_<what>_<unit>`, histograms in seconds.

Labels are symbol, timeframe, model and venue only: their values are few, so the database behind stays small. A feature
of a model is therefore named in the name: `triptych_feature_<feature>_psi_ratio`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from triptych.live.monitoring.gpu import GpuUse, gpu_use

FAST: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of latencies in seconds: from a disk's fsync to a model that misses its deadline."""
SHARES: Final = (0.34, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Bounds of confidences, the largest of three probabilities: at least a third."""


class Metrics:
    """All that is measured while trading. Each attribute is the instrument of the name that stands beside it."""

    def __init__(self, gpu_use: Callable[[], float | None] = gpu_use) -> None:
        """`gpu_use` says how busy the GPU is, from 0 to 1; None where there is none."""
        registry = self.registry = CollectorRegistry()

        def histogram(name: str, help_: str, *labels: str, bounds: tuple[float, ...] = FAST) -> Histogram:
            return Histogram(f"triptych_{name}", help_, labels, buckets=bounds, registry=registry)

        def gauge(name: str, help_: str, *labels: str) -> Gauge:
            return Gauge(f"triptych_{name}", help_, labels, registry=registry)

        def counter(name: str, help_: str, *labels: str) -> Counter:
            return Counter(f"triptych_{name}", help_, labels, registry=registry)

        # Models
        self.inference = histogram("inference_seconds", "Time of one call of a model.", "model")
        self.decision = histogram("decision_seconds", "From a closed candle's arrival to its commands.", "timeframe")
        self.confidence = histogram(
            "confidence_ratio", "Largest class probability of a prediction.", "symbol", "model", bounds=SHARES
        )
        self.agreement = gauge(
            "agreement_ratio", "Share of the members of a consensus whose likeliest class is the joint one.", "symbol"
        )
        self.fallback_level = gauge(
            "fallback_level", "Place of the model on duty: 0 the first; one more than the last: none."
        )
        self.fallback_decisions = gauge(
            "fallback_decisions", "Decisions in a row that another than the first model has taken, or none."
        )
        self.model_failures = counter("model_failures_total", "Decisions at which a model failed.", "model")
        self.drift_psi = gauge(
            "drift_psi_ratio", "Population stability index against the reference.", "symbol", "model"
        )
        self.drift_ks = gauge("drift_ks_ratio", "Kolmogorov-Smirnov distance from the reference.", "symbol", "model")
        self._features: dict[str, tuple[Gauge, Gauge]] = {}
        self._gauge = gauge
        self.drifts = counter("drifts_total", "Changes of level that ADWIN has found.", "symbol", "model")
        self.guard_blind = gauge(
            "guard_blind_decisions", "Closes in a row without a reading of the detector that guards.", "symbol"
        )
        registry.register(GpuUse(gpu_use))

        # Data
        self.data_age = gauge("data_age_seconds", "Since the last message of a stream.", "symbol", "timeframe")
        self.candles = counter("candles_total", "Closed candles taken in.", "symbol", "timeframe")
        self.gap_repairs = counter("gap_repairs_total", "Candles fetched to close a gap.", "symbol", "timeframe")
        self.book_resyncs = counter("book_resyncs_total", "Order books begun anew after a fault.", "symbol")
        self.clock_offset = gauge("clock_offset_seconds", "The venue's clock less ours.", "venue")

        # Orders
        self.order_answer = histogram("order_answer_seconds", "From sending an order to the venue's answer.", "venue")
        self.orders_sent = counter("orders_sent_total", "Orders sent, attempts counted each.", "symbol")
        self.orders_denied = counter("orders_denied_total", "Orders our own limits refused.", "symbol")
        self.orders_rejected = counter("orders_rejected_total", "Orders the venue refused.", "symbol")
        self.fills = counter("fills_total", "Fills taken in.", "symbol")
        self.unknown_orders = gauge("unknown_orders", "Orders of which nobody knows whether they live.")
        self.unprotected = counter("unprotected_seconds_total", "Time with a position but without its stop.", "symbol")
        self.reconciliation_age = gauge(
            "reconciliation_age_seconds", "Since venue and books were compared, all questions answered."
        )
        self.instrument_ready = gauge("instrument_ready", "1 while positions may be opened in an instrument.", "symbol")
        self.reconciliation_differences = counter(
            "reconciliation_differences_total", "Differences between the venue and what we knew.", "symbol"
        )

        # The house
        self.journal_append = histogram("journal_append_seconds", "Time of one durable append.")
        self.equity = gauge("equity_quote", "Equity in quote currency.")
        self.drawdown = gauge("drawdown_ratio", "Fall of the equity from its peak.")
        self.exposure = gauge("exposure_ratio", "Signed notional by equity.", "symbol")
        self.switch = gauge("switch_level", "0 trades, 1 only closes, 2 killed.")
        self.alarms = counter("alarms_total", "Alarms raised.")
        self.ready = gauge("ready", "1 while decisions may be taken.")

    def feature(self, name: str) -> tuple[Gauge, Gauge]:
        """Stability index and Kolmogorov-Smirnov distance of one feature that models see."""
        word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if word not in self._features:
            self._features[word] = (
                self._gauge(f"feature_{word}_psi_ratio", f"Stability index of {name}.", "symbol", "model"),
                self._gauge(f"feature_{word}_ks_ratio", f"Kolmogorov-Smirnov distance of {name}.", "symbol", "model"),
            )
        return self._features[word]

    def begin(self, symbols: Iterable[str], *, timeframe: str, models: Iterable[str]) -> None:
        """Every counter stands at 0 from the start: a rate over one that appears with its first event misses it."""
        for symbol in symbols:
            for one in (self.candles, self.gap_repairs):
                one.labels(symbol=symbol, timeframe=timeframe)
            for one in (
                self.book_resyncs, self.orders_sent, self.orders_denied, self.orders_rejected, self.fills,
                self.unprotected, self.reconciliation_differences,
            ):  # fmt: skip
                one.labels(symbol=symbol)
        for model in models:
            self.model_failures.labels(model=model)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
