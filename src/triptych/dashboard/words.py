"""Figures and times in words, the same on every page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOTHING = "–"


def money(value: float | None, *, sign: bool = False) -> str:
    """Quote currency with thousands, two digits behind the point; more of them below one."""
    if value is None:
        return NOTHING
    digits = 2 if abs(value) >= 1 or value == 0 else 4
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")


def price(value: float | None) -> str:
    """Six figures that count."""
    if value is None:
        return NOTHING
    digits = max(0, min(8, 6 - len(str(int(abs(value))))))
    return f"{value:,.{digits}f}"


def percent(value: float | None, *, sign: bool = False, digits: int = 1) -> str:
    """A fraction as a percentage."""
    return NOTHING if value is None else f"{value:{'+' if sign else ''}.{digits}%}".replace("-", "−")


def quantity(value: Any) -> str:
    """Base units, six figures that count, without trailing zeros; the twins have them exactly."""
    number = float(value)
    text = f"{number:,.{max(0, 6 - len(str(int(abs(number)))))}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−") if text != "-0" else "0"


def duration(milliseconds: float | None) -> str:
    """Two units at most: 4 ms, 3.2 s, 5 min 10 s, 3 h 4 min, 2 d 5 h."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 1:
        return "< 1 ms" if milliseconds > 0 else "0 ms"
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, size, smaller, small in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def seconds(value: float | None) -> str:
    """A latency measured in seconds; microseconds where it is short."""
    if value is None:
        return NOTHING
    return f"{value * 1e6:.0f} µs" if value < 1e-3 else f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def clock(time_ms: float | None) -> str:
    """Hours, minutes and seconds, UTC."""
    return NOTHING if not time_ms else datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%H:%M:%S")


def moment(time_ms: float | None) -> str:
    """Date and time to the minute, UTC."""
    return NOTHING if not time_ms else datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")


def stamp(time_ms: float) -> str:
    """ISO 8601 to the millisecond, UTC, as machines read it."""
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


FILTERS = {
    "money": money, "price": price, "percent": percent, "quantity": quantity, "duration": duration,
    "seconds": seconds, "clock": clock, "moment": moment,
}  # fmt: skip
"""For templates."""
