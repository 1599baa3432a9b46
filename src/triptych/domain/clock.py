"""Time comes in through the constructor: one interface, the machine's clock and one set by hand."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod


class AbstractClock(ABC):
    """Tells the time in UTC milliseconds."""

    @abstractmethod
    def now_ms(self) -> int:
        """UTC milliseconds since 1970."""

    def steady_ms(self) -> int:
        """Milliseconds since some moment, for waits within this process: where it can, not set by anybody."""
        return self.now_ms()


class SystemClock(AbstractClock):
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class ManualClock(AbstractClock):
    """A clock that stands where it was set: for replay and tests."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Move the clock to `now_ms`."""
        self._now_ms = now_ms
