"""The venue's clock, as far as it can be known from here."""

from __future__ import annotations

from collections import deque
from typing import Final

from triptych.domain import AbstractClock
from triptych.domain.errors import ClockRefused

SAMPLES: Final = 16


class VenueClock(AbstractClock):
    """Our clock corrected by its offset to the venue's.

    Every reply carries the venue's time, made somewhere between our sending and our receiving. The middle of the two is
    off by at most half the round trip, so of the last 16 replies the one with the shortest counts (as NTP's clock
    filter does, RFC 5905 section 10).
    """

    def __init__(self, clock: AbstractClock) -> None:
        self._clock = clock
        self._samples: deque[tuple[int, float]] = deque(maxlen=SAMPLES)

    def observe(self, *, sent_ms: int, received_ms: int, venue_ms: int) -> None:
        """Learn from one reply: times of our own clock and of the venue's. One set back in between teaches nothing."""
        round_trip = received_ms - sent_ms
        if round_trip >= 0:
            self._samples.append((round_trip, venue_ms - (sent_ms + received_ms) / 2))

    def forget(self) -> None:
        """Drop what was learned: our clock was set, or the venue says that we are wrong."""
        self._samples.clear()

    @property
    def is_known(self) -> bool:
        """Whether any reply has been seen."""
        return bool(self._samples)

    @property
    def offset_ms(self) -> float:
        """What must be added to our clock; 0 before the first reply."""
        return min(self._samples)[1] if self._samples else 0.0

    @property
    def uncertainty_ms(self) -> float:
        """By how much the offset can be wrong: half the shortest round trip."""
        return min(self._samples)[0] / 2 if self._samples else 0.0

    def own_ms(self) -> int:
        """Our clock as it is."""
        return self._clock.now_ms()

    def now_ms(self) -> int:
        return self.at_venue(self._clock.now_ms())

    def at_venue(self, own_ms: int) -> int:
        """A time of our clock in the venue's. Errs to the early side: the venue refuses what is 1 s ahead of it."""
        return int(own_ms + self.offset_ms - self.uncertainty_ms)

    def require_within(self, limit_ms: int) -> None:
        """Raise ClockRefused when the offset is larger than that."""
        if abs(self.offset_ms) > limit_ms:
            raise ClockRefused(
                f"This machine's clock differs from the venue's by {self.offset_ms / 1000:+.3f} s, more than "
                f"{limit_ms / 1000:g} s.",
                remedy="Set the machine's clock (NTP), or raise the limit.",
            )
