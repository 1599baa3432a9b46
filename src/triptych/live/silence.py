"""A venue that does not answer: it is asked again soon, then later and later, and never while it forbids to ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from triptych.domain.errors import ExchangeError, RateLimited


@dataclass(slots=True)
class Silence:
    """How long the venue has not answered, and how long to wait before the next question.

    Attributes:
        now_s: seconds since some moment; never falls.
        failures: attempts in a row that brought no answer; 0 while all is well.
        reason: why there was none, as first told.
    """

    now_s: Callable[[], float] = time.monotonic
    failures: int = 0
    reason: str = ""
    _began_s: float = 0.0
    _allowed_s: float = 0.0

    def goes_on(self, error: ExchangeError) -> bool:
        """One more attempt without an answer. Returns whether it is the first: worth telling somebody."""
        now = self.now_s()
        self.failures += 1
        self._allowed_s = now + (error.retry_after_ms / 1000 if isinstance(error, RateLimited) else 0.0)
        if self.failures > 1:
            return False
        self._began_s, self.reason = now, error.message
        return True

    def ends(self) -> str:
        """The venue has answered. Returns what there is to tell of the time before, or nothing."""
        if not self.failures:
            return ""
        told = f"the venue answers again, after {self.failures} attempts in {self.now_s() - self._began_s:.1f} s"
        self.failures, self.reason, self._allowed_s = 0, "", 0.0
        return told

    def wait_s(self, *, first_s: float, longest_s: float) -> float:
        """Seconds after the last attempt at which the next one is due: doubled each time, at most `longest_s`, but
        not before the venue allows to ask at all.
        """
        doubled = min(longest_s, first_s * 2.0 ** min(max(self.failures - 1, 0), 30))
        return max(doubled, self._allowed_s - self.now_s())
