"""All factors by name, and named sets of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from triptych.domain.errors import RecipeError
from triptych.features import calendar, momentum, patterns, price, regimes, trend, volatility, volume
from triptych.features.factor import Factor

_FACTORS: Final[dict[str, Factor]] = {
    factor.name: factor
    for family in (price, trend, momentum, volatility, volume, calendar, patterns, regimes)
    for factor in family.FACTORS
}

# Near duplicates stay out of the grid: its columns should differ.
_OUT_OF_GRID = frozenset(
    {"high_return", "low_return", "ema_12", "tema_20", "rsi_7", "cmo_20", "ppo", "volatility_60"},
)

_SETS: Final[dict[str, tuple[str, ...]]] = {
    "grid56": tuple(
        name
        for name, factor in _FACTORS.items()
        if factor.family not in ("pattern", "regime") and name not in _OUT_OF_GRID
    ),
    "patterns": (
        *("doji", "engulfing", "hammer", "shooting_star", "morning_star", "evening_star"),
        *("return_1", "gap", "body", "range", "upper_shadow", "lower_shadow", "close_location", "roc_5", "roc_20"),
        *("sma_20", "volatility_20", "parkinson_20", "volume_sma_20", "money_flow_20", "day_sine", "day_cosine"),
    ),
    "indicators": ("rsi_14", "macd_histogram", "bollinger_b", "atr_14", "obv_20"),
    "regimes": tuple(name for name, factor in _FACTORS.items() if factor.family == "regime"),
    "all": tuple(_FACTORS),
}
"""The two of the xLSTM consensus, `patterns` and `indicators`, share no factor, so that their errors may differ."""


def available() -> tuple[str, ...]:
    """Names of all factors, in the registry's order: by family."""
    return tuple(_FACTORS)


def sets() -> tuple[str, ...]:
    """Names of the sets of factors."""
    return tuple(_SETS)


def resolve(names: Sequence[str]) -> tuple[str, ...]:
    """Names of factors, with each set's name replaced by its members; the order is kept.

    Raises RecipeError for an unknown name, a factor named twice, or none at all.
    """
    resolved: list[str] = []
    for name in names:
        if name not in _SETS and name not in _FACTORS:
            raise RecipeError(f"Unknown factor {name!r}.", remedy=_remedy(name))
        resolved += _SETS.get(name, (name,))
    if not resolved:
        raise RecipeError("No factor is named.", remedy=f"Name factors or a set: {', '.join(_SETS)}.")
    twice = sorted({name for name in resolved if resolved.count(name) > 1})
    if twice:
        raise RecipeError(
            f"Factors named twice: {', '.join(twice)}.", remedy="Name each once, and none that a named set holds."
        )
    return tuple(resolved)


def describe(name: str) -> Factor:
    """What is known of one factor. Raises RecipeError for an unknown name."""
    if name not in _FACTORS:
        raise RecipeError(f"Unknown factor {name!r}.", remedy=_remedy(name))
    return _FACTORS[name]


def _remedy(name: str) -> str:
    close = difflib.get_close_matches(name, [*_SETS, *_FACTORS], n=5)
    near = f"Close to it: {', '.join(close)}. " if close else ""
    return f"{near}Known sets: {', '.join(_SETS)}; `triptych.features.available()` lists the factors."
