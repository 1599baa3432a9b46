"""Alerts: what a person should know now. To the log always, to a webhook if one is named; never in the way of trading.

An alert of the same topic and symbol is sent again only after a while, with the number of those kept back meanwhile. A
webhook that fails is tried again a few times and then given up; the log has it anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field, SecretStr

from triptych import domain
from triptych.domain.clock import AbstractClock

Severity = Literal["info", "warning", "critical"]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Delivers one alert as JSON; raises when it could not."""

_WAITING: Final = 1_000
"""Alerts that may wait for a slow webhook before the newest are only logged."""


class Config(domain.Config):
    """Where alerts go."""

    webhook: SecretStr | None = Field(
        default=None,
        description="Address that receives alerts as JSON (Slack and Mattermost read `text`). Empty: none.",
    )
    repeat_minutes: float = Field(
        default=15.0, ge=0, description="Minutes within which an alert of the same topic and symbol is not sent again."
    )
    attempts: int = Field(default=3, ge=1, le=20, description="Times a delivery is tried.")
    pause_seconds: float = Field(
        default=2.0, ge=0, description="Seconds before the second attempt; doubled before every further one."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert. `kept_back` counts those of the same topic and symbol since the last one that was sent."""

    severity: Severity
    topic: str
    text: str
    symbol: str
    time_ms: int
    kept_back: int = 0

    def message(self, instance: str) -> dict[str, Any]:
        """As JSON for a webhook."""
        more = f" ({self.kept_back} more like this before)" if self.kept_back else ""
        where = f" {self.symbol}" if self.symbol else ""
        return {
            "text": f"[{self.severity}] {instance}{where}: {self.text}{more}",
            "severity": self.severity, "topic": self.topic, "symbol": self.symbol, "instance": instance,
            "time_ms": self.time_ms,
        }  # fmt: skip


class Alerts:
    """Takes alerts in, logs each, and delivers them from a task of its own."""

    def __init__(
        self,
        config: Config,
        *,
        instance: str,
        clock: AbstractClock,
        log: Callable[[Alert], None],
        send: Send | None = None,
    ) -> None:
        """Deliver for the trading instance `instance`; `send` None only logs."""
        self._config, self._instance, self._clock, self._log, self._send = config, instance, clock, log, send
        self._last: dict[tuple[str, str], int] = {}
        self._kept_back: dict[tuple[str, str], int] = {}
        self._queue: asyncio.Queue[Alert] = asyncio.Queue(maxsize=_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver. To be called inside the running loop."""
        if self._send is not None and self._task is None:
            self._task = asyncio.create_task(self._deliver(self._send))

    def alert(self, severity: Severity, topic: str, text: str, symbol: str = "") -> Alert:
        """Raise an alert. Returns at once."""
        key, now = (topic, symbol), self._clock.now_ms()
        last = self._last.get(key)
        repeats = last is not None and now - last < self._config.repeat_minutes * 60_000
        kept = self._kept_back.get(key, 0)
        alert = Alert(severity=severity, topic=topic, text=text, symbol=symbol, time_ms=now, kept_back=kept)
        self._log(alert)
        if repeats:
            self._kept_back[key] = kept + 1
            return alert
        self._last[key], self._kept_back[key] = now, 0
        if self._send is not None:
            with contextlib.suppress(asyncio.QueueFull):  # it is in the log
                self._queue.put_nowait(alert)
        return alert

    async def _deliver(self, send: Send) -> None:
        while True:
            alert = await self._queue.get()
            for attempt in range(self._config.attempts):
                if attempt:
                    await asyncio.sleep(self._config.pause_seconds * 2 ** (attempt - 1))
                try:
                    await send(alert.message(self._instance))
                    break
                except Exception:
                    continue
            self._queue.task_done()

    async def stop(self, *, within_s: float = 5.0) -> None:
        """Deliver what waits, for at most so long, then end."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), within_s)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
