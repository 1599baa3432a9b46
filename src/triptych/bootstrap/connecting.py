"""The connection of a live session to its venue, which heeds a lock-out that an earlier process met."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from triptych.bootstrap.telling import Tell
from triptych.domain import SystemClock
from triptych.domain.errors import JournalError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.limits import LONGEST_HALT_S
from triptych.live.journal import keep_lockout, kept_lockout
from triptych.settings.live import LiveSettings

KEPT_AGAIN_S = 1.0


def connect(hosts: HostConfig, settings: LiveSettings, journal: str | Path, tell: Tell) -> BybitConnection:
    """A connection that has not begun. Nothing is asked before the end of a lock-out that the journal remembers;
    `tell` is told in words when one cannot be remembered.

    Raises JournalError when the journal cannot be read.
    """
    clock, host = SystemClock(), urlsplit(hosts.rest_url).netloc
    left_s = min((kept_lockout(journal, host) - clock.now_ms()) / 1000, LONGEST_HALT_S)
    kept_s = float("-inf")

    def keep(seconds: float) -> None:
        nonlocal kept_s
        now_s = time.monotonic()
        if now_s - kept_s < KEPT_AGAIN_S:  # many questions may have been on their way
            return
        try:
            keep_lockout(journal, host, clock.now_ms() + round(seconds * 1000))
        except JournalError as error:
            tell(f"The lock-out could not be remembered for the next start: {error.message}")
        kept_s = now_s

    return BybitConnection(hosts, rest=settings.rest, stream=settings.stream, halted_for_s=left_s, on_halt=keep)
