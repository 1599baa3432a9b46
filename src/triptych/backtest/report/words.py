"""Numbers and names as people read them."""

from __future__ import annotations

import math
from typing import Any

from triptych.backtest.verdict import percent
from triptych.domain import utc

MISSING = "–"
ABBREVIATIONS = {
    "mcc": "MCC",
    "f1": "F1",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC AUC",
    "auc": "AUC",
    "ece": "Calibration error",
    "sha256": "SHA-256",
    "ms": "ms",
    "id": "ID",
    "ohlc": "OHLC",
}


def share(fraction: float | None) -> str:
    """A fraction in per cent, `–` when undefined."""
    return MISSING if fraction is None or not math.isfinite(fraction) else percent(fraction)


def signed_share(fraction: float | None) -> str:
    """As `share`, with a plus sign above zero."""
    text = share(fraction)
    return f"+{text}" if fraction is not None and fraction > 0 and text != MISSING else text


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits and a true minus sign, `–` when undefined."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.{digits}f}".replace("-", "−")


def moment(time_ms: int | None) -> str:
    """A UTC time without seconds, `–` when undefined."""
    return MISSING if time_ms is None else utc(int(time_ms))[:16]


def probability(value: float | None) -> str:
    """A probability, never rounded to certainty."""
    if value is None or not math.isfinite(value):
        return MISSING
    return "< 0.001" if value < 0.001 else "> 0.999" if value > 0.999 else f"{value:.3f}"


def label(name: str) -> str:
    """A key as a heading: `macro_f1` -> `Macro F1`."""
    if name in ABBREVIATIONS:
        return ABBREVIATIONS[name]
    words = name.replace("_", " ").split(" ")
    text = " ".join(ABBREVIATIONS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def plain(value: Any) -> str:
    """Any plain value in a table cell."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return MISSING
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value) or MISSING
    return str(value)
