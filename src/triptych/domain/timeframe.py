"""Timeframes: `1m 5m 15m 1h 4h 1d` and every other whole number of minutes, hours, days or weeks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from triptych.domain.errors import DataError

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
# Weeks open on Monday; the epoch was a Thursday, hence the shift of the weekly grid.
_WEEK_ORIGIN_MS = 4 * _UNIT_MS["d"]


@dataclass(frozen=True, order=True, slots=True)
class Timeframe:
    """The length of a candle in milliseconds; ordered from short to long."""

    milliseconds: int

    def __post_init__(self) -> None:
        if self.milliseconds <= 0:
            raise DataError(f"A timeframe must be longer than 0 ms, was {self.milliseconds} ms.")

    @classmethod
    def parse(cls, text: str | Timeframe) -> Self:
        """Read `15m`, `1h`, `1d`, `1w`, of order books also `100ms`. Raises DataError for anything else."""
        if isinstance(text, Timeframe):
            return cls(text.milliseconds)
        match = re.fullmatch(r"(\d+)(ms|[smhdw])", text.strip())
        if match is None or int(match[1]) == 0:
            raise DataError(f"Unknown timeframe {text!r}.", remedy="Write it like 1m, 5m, 15m, 1h, 4h, 1d or 1w.")
        return cls(int(match[1]) * _UNIT_MS[match[2]])

    def __str__(self) -> str:
        for unit in ("w", "d", "h", "m", "s"):
            if self.milliseconds % _UNIT_MS[unit] == 0:
                return f"{self.milliseconds // _UNIT_MS[unit]}{unit}"
        return f"{self.milliseconds}ms"

    def floor(self, time_ms: int) -> int:
        """Open time (UTC ms) of the candle that contains `time_ms`; the grid starts at midnight, weeks on Monday."""
        origin = _WEEK_ORIGIN_MS if self.milliseconds % _UNIT_MS["w"] == 0 else 0
        return (time_ms - origin) // self.milliseconds * self.milliseconds + origin

    def candles_per_year(self) -> float:
        """Candles in 365.25 days of an always-open market."""
        return 365.25 * _UNIT_MS["d"] / self.milliseconds
