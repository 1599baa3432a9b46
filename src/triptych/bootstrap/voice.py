"""What a house says of itself while it trades: figures, logs and alerts, without secrets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from triptych.domain import AbstractClock, utc
from triptych.live.monitoring import Alert, Alerts, Masker, Metrics, Unfailing, create_logger
from triptych.live.monitoring.webhook import post_to
from triptych.settings.live import LiveSettings


@dataclass(frozen=True, kw_only=True)
class Voice:
    """Figures for machines, alerts for people.

    Attributes:
        metrics: where figures go.
        alerts: logged each, and delivered.
        masker: knows the secrets.
    """

    metrics: Metrics
    alerts: Alerts
    masker: Masker

    def note(self, severity: str, topic: str, text: str, symbol: str) -> None:
        """Tell what a person should know, masked and counted."""
        self.metrics.alarms.inc()
        self.alerts.alert(severity, topic, self.masker.text(text), symbol)  # type: ignore[arg-type]


def voice_of(
    settings: LiveSettings,
    *,
    clock: AbstractClock,
    log: TextIO | None = None,
    masker: Masker | None = None,
    metrics: Metrics | None = None,
) -> Voice:
    """The voice of a house.

    Args:
        settings: its name, and who is told.
        clock: ours.
        log: where structured logs go; None: warnings go to the error stream, in words.
        masker: knows the secrets; None: there are none.
        metrics: where figures go, if others have written there already.
    """
    masker = masker or Masker()
    alerts = Alerts(
        settings.alerts, instance=settings.name, clock=clock,
        log=_to_people(settings.name) if log is None else _to_log(log, masker, settings.name),
        send=None if settings.alerts.webhook is None else post_to(settings.alerts.webhook),
    )  # fmt: skip
    return Voice(metrics=metrics or Metrics(), alerts=alerts, masker=masker)


def _to_log(stream: TextIO, masker: Masker, name: str) -> Callable[[Alert], None]:
    logger = create_logger(stream, masker, instance=name)
    return lambda alert: logger.warning(alert.text, topic=alert.topic, symbol=alert.symbol, severity=alert.severity)


def _to_people(name: str) -> Callable[[Alert], None]:
    """Whoever keeps no log must see what is wrong all the same."""
    stream = Unfailing(sys.stderr)

    def tell(alert: Alert) -> None:
        if alert.severity != "info":
            where = f" {alert.symbol}" if alert.symbol else ""
            stream.write(f"{utc(alert.time_ms)} {alert.severity} {name}{where}: {alert.text}\n")

    return tell
