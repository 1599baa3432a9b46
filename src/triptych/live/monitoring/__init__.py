"""Monitoring: metrics, drift, structured logs and alerts."""

from triptych.live.monitoring.alerts import Alert, Alerts
from triptych.live.monitoring.drift import DriftWatch, population_stability_index
from triptych.live.monitoring.logs import create_logger, decision_id
from triptych.live.monitoring.masking import Masker
from triptych.live.monitoring.metrics import Metrics

__all__ = [
    "Alert",
    "Alerts",
    "DriftWatch",
    "Masker",
    "Metrics",
    "create_logger",
    "decision_id",
    "population_stability_index",
]
