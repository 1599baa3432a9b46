"""TA-Lib's 61 candle patterns, reported at the candle that completes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import talib
from talib import abstract

from triptych.features._history import History
from triptych.features._rolling import Array
from triptych.features.factor import Factor, Family

_factor = Family("pattern")

PATTERNS: Final[dict[str, str]] = {
    "two_crows": "CDL2CROWS",
    "three_black_crows": "CDL3BLACKCROWS",
    "three_inside": "CDL3INSIDE",
    "three_line_strike": "CDL3LINESTRIKE",
    "three_outside": "CDL3OUTSIDE",
    "three_stars_in_the_south": "CDL3STARSINSOUTH",
    "three_white_soldiers": "CDL3WHITESOLDIERS",
    "abandoned_baby": "CDLABANDONEDBABY",
    "advance_block": "CDLADVANCEBLOCK",
    "belt_hold": "CDLBELTHOLD",
    "breakaway": "CDLBREAKAWAY",
    "closing_marubozu": "CDLCLOSINGMARUBOZU",
    "concealing_baby_swallow": "CDLCONCEALBABYSWALL",
    "counterattack": "CDLCOUNTERATTACK",
    "dark_cloud_cover": "CDLDARKCLOUDCOVER",
    "doji": "CDLDOJI",
    "doji_star": "CDLDOJISTAR",
    "dragonfly_doji": "CDLDRAGONFLYDOJI",
    "engulfing": "CDLENGULFING",
    "evening_doji_star": "CDLEVENINGDOJISTAR",
    "evening_star": "CDLEVENINGSTAR",
    "gap_side_by_side_white_lines": "CDLGAPSIDESIDEWHITE",
    "gravestone_doji": "CDLGRAVESTONEDOJI",
    "hammer": "CDLHAMMER",
    "hanging_man": "CDLHANGINGMAN",
    "harami": "CDLHARAMI",
    "harami_cross": "CDLHARAMICROSS",
    "high_wave": "CDLHIGHWAVE",
    "hikkake": "CDLHIKKAKE",
    "modified_hikkake": "CDLHIKKAKEMOD",
    "homing_pigeon": "CDLHOMINGPIGEON",
    "identical_three_crows": "CDLIDENTICAL3CROWS",
    "in_neck": "CDLINNECK",
    "inverted_hammer": "CDLINVERTEDHAMMER",
    "kicking": "CDLKICKING",
    "kicking_by_length": "CDLKICKINGBYLENGTH",
    "ladder_bottom": "CDLLADDERBOTTOM",
    "long_legged_doji": "CDLLONGLEGGEDDOJI",
    "long_line": "CDLLONGLINE",
    "marubozu": "CDLMARUBOZU",
    "matching_low": "CDLMATCHINGLOW",
    "mat_hold": "CDLMATHOLD",
    "morning_doji_star": "CDLMORNINGDOJISTAR",
    "morning_star": "CDLMORNINGSTAR",
    "on_neck": "CDLONNECK",
    "piercing": "CDLPIERCING",
    "rickshaw_man": "CDLRICKSHAWMAN",
    "rising_falling_three_methods": "CDLRISEFALL3METHODS",
    "separating_lines": "CDLSEPARATINGLINES",
    "shooting_star": "CDLSHOOTINGSTAR",
    "short_line": "CDLSHORTLINE",
    "spinning_top": "CDLSPINNINGTOP",
    "stalled_pattern": "CDLSTALLEDPATTERN",
    "stick_sandwich": "CDLSTICKSANDWICH",
    "takuri": "CDLTAKURI",
    "tasuki_gap": "CDLTASUKIGAP",
    "thrusting": "CDLTHRUSTING",
    "tristar": "CDLTRISTAR",
    "unique_three_river": "CDLUNIQUE3RIVER",
    "upside_gap_two_crows": "CDLUPSIDEGAP2CROWS",
    "gap_three_methods": "CDLXSIDEGAP3METHODS",
}
"""Our names and TA-Lib's functions."""
BLOCK = 128
"""Candles that TA-Lib sees in one go. Blocks start at fixed times, wherever the history does: TA-Lib's running sums
round, and at prices on a grid of ticks ties are common, so that the last digit decides between pattern and none."""
STATE = 5
"""Candles more than its lookback that a pattern may remember: the hikkake wait three candles for their confirmation."""


def _pattern(name: str, function: str) -> Factor:
    find = getattr(talib, function)
    lookback: int = getattr(abstract, function).lookback
    before = lookback + STATE

    def compute(h: History) -> Array:
        found: Array = np.empty(len(h.close))
        blocks = h.open_time_ms // (BLOCK * h.timeframe_ms)
        edges = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(found)]
        for start, stop in pairwise(edges):
            first = max(0, start - before)
            prices = (column[first:stop] for column in (h.open, h.high, h.low, h.close))
            found[start:stop] = find(*prices)[start - first :]
        found /= 100.0
        found[:lookback] = np.nan
        return found

    words = name.replace("_", " ")
    return _factor(
        name, lookback, compute, f"{words} ({function}): above 0 rising, below 0 falling, 0 none", "score",
        settle=BLOCK - 1 + before,
    )  # fmt: skip


FACTORS: Final[tuple[Factor, ...]] = tuple(_pattern(name, function) for name, function in PATTERNS.items())
"""To add a pattern, add a line to `PATTERNS`."""
