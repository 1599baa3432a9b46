"""Waiting comes in through the constructor: one interface and the machine's own timer."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod


class AbstractTimer(ABC):
    """Measures spans of time and waits."""

    @abstractmethod
    def monotonic_s(self) -> float:
        """Seconds since some moment; never falls, whatever happens to the machine's clock."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let others work for so long."""


class SystemTimer(AbstractTimer):
    """The machine's own."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class BackOff:
    """How long to wait before the next attempt: doubling, cut at `longest_s`, spread by chance over half of itself.

    The chance keeps many clients, thrown out at the same moment, from coming back at the same moment.
    """

    def __init__(self, *, first_s: float, longest_s: float, chance: random.Random) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, 1 or more."""
        whole = min(self._longest_s, self._first_s * 2.0 ** min(failures - 1, 30))
        return float(whole * (0.5 + 0.5 * self._chance.random()))
