"""Monitoring: metrics, drift, structured logs and alerts."""

from triptych.live.monitoring.alerts import Alert, Alerts
from triptych.live.monitoring.drift import DriftWatch, population_stability_index
from triptych.live.monitoring.logs import create_logger, decision_id
from triptych.live.monitoring.masking import Masker
from triptych.live.monitoring.metrics import Metrics
from triptych.live.monitoring.unfailing import Unfailing, open_log

__all__ = [
    "Alert",
    "Alerts",
    "DriftWatch",
    "Masker",
    "Metrics",
    "Unfailing",
    "create_logger",
    "decision_id",
    "open_log",
    "population_stability_index",
]
