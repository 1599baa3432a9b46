"""All factors by name, and named sets of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from triptych.domain.errors import RecipeError
from triptych.features import (
    book,
    book_rows,
    calendar,
    chart_factors,
    momentum,
    patterns,
    price,
    regimes,
    trend,
    volatility,
    volume,
)
from triptych.features.factor import Factor

_FACTORS: Final[dict[str, Factor]] = {
    factor.name: factor
    for family in (
        price,
        trend,
        momentum,
        volatility,
        volume,
        calendar,
        patterns,
        regimes,
        chart_factors,
        book,
        book_rows,
    )
    for factor in family.FACTORS
}

# Named one by one: a factor that joins the registry must not widen the grid of a recipe or a saved model. Other periods
# of one indicator (ema_12 beside ema_26, rsi_7 beside rsi_14) are left out, yet some columns still say nearly the same.
# Correlations of scores on 15-minute candles, of the BTCUSDT perpetual (18,801 rows) and the SSE Composite (10,494):
# body and return_1 1.00 and .93; true_range and range 1.00 and .96; trix_15 and macd_signal 1.00 and 1.00; the four
# volatilities from ranges .98 to 1.00 on the first. Where a market closes its gaps part the first two pairs. They stay:
# results and models have been made with these columns.
_GRID: Final = (
    "return_1", "gap", "body", "range", "upper_shadow", "lower_shadow", "close_location", "sma_10",
    "sma_20", "sma_50", "ema_26", "ema_50", "wma_20", "dema_20", "macd", "macd_signal", "macd_histogram",
    "adx", "plus_di", "minus_di", "aroon_up", "aroon_down", "linear_slope_14", "efficiency_20", "rsi_14",
    "stochastic_k", "stochastic_d", "stochastic_rsi", "williams_r", "roc_5", "roc_20", "roc_60",
    "momentum_10", "cci_20", "trix_15", "ultimate", "balance_of_power", "bollinger_b", "bollinger_width",
    "true_range", "atr_14", "volatility_20", "parkinson_20", "garman_klass_20", "rogers_satchell_20",
    "yang_zhang_20", "volume_sma_20", "volume_trend", "obv_20", "adosc", "mfi_14", "money_flow_20",
    "day_sine", "day_cosine", "week_sine", "week_cosine",
)  # fmt: skip

_SETS: Final[dict[str, tuple[str, ...]]] = {
    "grid56": _GRID,
    # The time of day of daily candles never changes: two columns would be blank.
    "grid56_daily": tuple(name.replace("day_", "year_") if name.startswith("day_") else name for name in _GRID),
    "patterns": (
        *("doji", "engulfing", "hammer", "shooting_star", "morning_star", "evening_star"),
        *("return_1", "gap", "body", "range", "upper_shadow", "lower_shadow", "close_location", "roc_5", "roc_20"),
        *("sma_20", "volatility_20", "parkinson_20", "volume_sma_20", "money_flow_20", "day_sine", "day_cosine"),
    ),
    "indicators": ("rsi_14", "macd_histogram", "bollinger_b", "atr_14", "obv_20"),
    "regimes": tuple(name for name, factor in _FACTORS.items() if factor.family == "regime"),
    # Named one by one as the grid is: a recipe of today must not ask for deeper books tomorrow.
    "book": (
        *("queue_imbalance", "queue_imbalance_5", "queue_imbalance_10"),
        *("spread_bp", "microprice_bp", "book_slope_10", "book_depth_10"),
    ),
    # Of the rows between the closes: they ask for recordings of a finer rhythm than the candles'.
    "book_orders": ("buy_cost_bp_10", "sell_cost_bp_10", *book_rows.WALLS),
    "book_network": book_rows.NETWORK,
    "candle_patterns": tuple(name for name, factor in _FACTORS.items() if factor.family == "pattern"),
    "chart_patterns": tuple(name for name, factor in _FACTORS.items() if factor.family == "chart_pattern"),
    # Without chart patterns: they came later, take a hundred times as long, and need 600 candles to settle.
    "all": tuple(name for name, factor in _FACTORS.items() if not factor.levels and factor.family != "chart_pattern"),
}
"""The two of the xLSTM consensus, `patterns` and `indicators`, share no factor, so that their errors may differ."""


def available() -> tuple[str, ...]:
    """Names of all factors of candles, in the registry's order: by family."""
    return tuple(name for name, factor in _FACTORS.items() if not factor.levels)


def of_books() -> tuple[str, ...]:
    """Names of all factors of the order book beside the candles."""
    return tuple(name for name, factor in _FACTORS.items() if factor.levels)


def levels_read(names: Sequence[str]) -> int:
    """Levels a side of order book that factors and sets of factors read; 0: none. RecipeError for an unknown name."""
    return max(describe(name).levels for name in resolve(names))


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


def without_repeats(names: Sequence[str]) -> tuple[str, ...]:
    """The names with every factor once: as they are where they do not overlap, else the factors that they stand for."""
    members = [member for name in names for member in _SETS.get(name, (name,))]
    once = tuple(dict.fromkeys(members))
    return tuple(names) if len(once) == len(members) else once


def describe(name: str) -> Factor:
    """What is known of one factor. Raises RecipeError for an unknown name."""
    if name not in _FACTORS:
        raise RecipeError(f"Unknown factor {name!r}.", remedy=_remedy(name))
    return _FACTORS[name]


def _remedy(name: str) -> str:
    close = difflib.get_close_matches(name, [*_SETS, *_FACTORS], n=5)
    near = f"Close to it: {', '.join(close)}. " if close else ""
    return f"{near}Known sets: {', '.join(_SETS)}; `triptych.features.available()` lists the factors."
