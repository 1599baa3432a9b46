"""How fast we may ask: token buckets that listen to what the venue says is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import Field

from triptych import domain
from triptych.domain.errors import RateLimited
from triptych.exchanges.timing import AbstractTimer

ORDER_PATHS: Final = (
    "/v5/order/create",
    "/v5/order/amend",
    "/v5/order/cancel",
    "/v5/order/cancel-all",
    "/v5/position/trading-stop",
)
LONGEST_HALT_S: Final = 86_400.0
LONGEST_BLOCK_S: Final = 60.0


class Config(domain.Config):
    """Rates that stay below the venue's own limits."""

    address_rate_per_s: float = Field(
        default=100,
        gt=0,
        le=120,
        description="Requests of this machine a second, with bursts of as many; the venue's limit is 600 in 5 seconds.",
    )
    order_rate_per_s: float = Field(
        default=10, gt=0, le=100, description="Requests a second to each interface that changes orders."
    )
    read_rate_per_s: float = Field(
        default=20, gt=0, le=100, description="Requests a second to each interface that only reads."
    )
    halt_s: float = Field(
        default=600,
        ge=600,
        le=86_400,
        description="Seconds without any request after the venue answered HTTP 403; it asks for 10 minutes.",
    )


class TokenBucket:
    """Holds up to `capacity` tokens and gains `rate_per_s`; whoever takes one that is not there yet waits for it."""

    def __init__(self, *, rate_per_s: float, capacity: float, now_s: float) -> None:
        self._rate = rate_per_s
        self._capacity = capacity
        self._tokens = capacity
        self._time_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds after which a token that is taken now may be used."""
        self._refill(now_s)
        return max(0.0, (1 - self._tokens) / self._rate)

    def take(self, now_s: float) -> float:
        """Take a token. Returns the seconds to wait before using it."""
        wait = self.wait_s(now_s)
        self._tokens -= 1
        return wait

    def limit_to(self, remaining: float, now_s: float) -> None:
        """The venue says that fewer are left than thought."""
        self._refill(now_s)
        self._tokens = min(self._tokens, remaining)

    def _refill(self, now_s: float) -> None:
        self._tokens = min(self._capacity, self._tokens + max(0.0, now_s - self._time_s) * self._rate)
        self._time_s = now_s


class Limiter:
    """One bucket for the machine's address, one for each interface, and the halt after HTTP 403."""

    def __init__(
        self,
        config: Config,
        timer: AbstractTimer,
        *,
        halted_for_s: float = 0.0,
        on_halt: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """`halted_for_s`: what is left of a lock-out that an earlier process met; `on_halt` is told of a new one."""
        self._config, self._on_halt = config, on_halt
        self._timer = timer
        rate = config.address_rate_per_s
        self._address = TokenBucket(rate_per_s=rate, capacity=rate, now_s=timer.monotonic_s())
        self._paths: dict[str, TokenBucket] = {}
        self._blocked_until_s: dict[str, float] = {}
        self._halted_until_s = timer.monotonic_s() + halted_for_s if halted_for_s > 0 else -math.inf

    async def acquire(self, path: str, *, within_s: float = math.inf) -> None:
        """Wait for one's turn. Raises RateLimited, without waiting, while everything is halted, and where the turn
        comes later than `within_s` seconds from now: what was signed is worth nothing then.
        """
        self._refuse_while_halted(path)
        now, bucket = self._timer.monotonic_s(), self._bucket(path)
        wait = max(self._address.wait_s(now), bucket.wait_s(now), self._blocked_until_s.get(path, now) - now)
        if wait > within_s:
            raise RateLimited(
                f"{path} was not sent: its turn comes in {wait:.1f} s, and what was signed is valid for "
                f"{max(0.0, within_s):.1f} s.",
                remedy="Wait; fewer requests of one kind keep below the venue's limit.",
                retry_after_ms=math.ceil(wait * 1000),
            )
        self._address.take(now)
        bucket.take(now)
        if wait > 0:
            await self._timer.sleep(wait)
            self._refuse_while_halted(path)

    def heed(self, path: str, headers: Mapping[str, str], venue_now_ms: int) -> None:
        """Learn from the headers of a reply: how many requests are left, and until when none."""
        left, reset = _number(headers, "X-Bapi-Limit-Status"), _number(headers, "X-Bapi-Limit-Reset-Timestamp")
        if left is None:
            return
        now = self._timer.monotonic_s()
        self._bucket(path).limit_to(left, now)
        if left <= 0 and reset is not None:
            self.block(path, (reset - venue_now_ms) / 1000)

    def block(self, path: str, seconds: float) -> None:
        """Send nothing to one interface for so long, a minute at most."""
        until_s = self._timer.monotonic_s() + min(LONGEST_BLOCK_S, max(0.0, seconds))
        self._blocked_until_s[path] = max(self._blocked_until_s.get(path, -math.inf), until_s)

    def halt(self, seconds: float | None = None) -> None:
        """The venue has locked us out: send nothing at all for so long; None: for `halt_s`, as it asks after a 403."""
        seconds = self._config.halt_s if seconds is None else min(seconds, LONGEST_HALT_S)
        self._halted_until_s = max(self._halted_until_s, self._timer.monotonic_s() + seconds)
        self._on_halt(seconds)

    @property
    def halted_for_s(self) -> float:
        """Seconds until anything may be sent again, 0 when it may."""
        return max(0.0, self._halted_until_s - self._timer.monotonic_s())

    def told_wait_s(self, headers: Mapping[str, str], venue_now_ms: int) -> float:
        """Seconds after which the venue says that it may be asked again; 0 where it does not say."""
        reset = _number(headers, "X-Bapi-Limit-Reset-Timestamp")
        told = 0.0 if reset is None else (reset - venue_now_ms) / 1000
        return max(0.0, told, float(_number(headers, "Retry-After") or 0))

    def _refuse_while_halted(self, path: str) -> None:
        left = self.halted_for_s
        if left > 0:
            raise RateLimited(
                f"{path} was not sent: the venue has locked this address out, nothing is sent for another "
                f"{math.ceil(left)} s.",
                remedy="Wait. Other programs behind the same address count too.",
                retry_after_ms=math.ceil(left * 1000),
            )

    def _bucket(self, path: str) -> TokenBucket:
        if path not in self._paths:
            rate = self._config.order_rate_per_s if path in ORDER_PATHS else self._config.read_rate_per_s
            self._paths[path] = TokenBucket(rate_per_s=rate, capacity=rate, now_s=self._timer.monotonic_s())
        return self._paths[path]


def _number(headers: Mapping[str, str], name: str) -> int | None:
    try:
        return int(headers[name])
    except (KeyError, ValueError):
        return None
