"""Chart patterns as factors: how fresh the last detection of each is, by the rules of `features/chart_patterns`.

A detection counts from the close at which it was known, and nothing reported is taken back, so no factor looks ahead.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np

from triptych.domain import CANDLE_FIELDS
from triptych.features._history import History
from triptych.features._rolling import Array
from triptych.features.chart_patterns import PATTERNS, KeptScans, outages
from triptych.features.factor import Factor, Family

_factor = Family("chart_pattern")

AGE: Final = 64
"""Candles after which a detection counts no more."""
BLOCK: Final = 256
"""Candles of a block. Blocks start at fixed times, and each is scanned by itself from `BEFORE` candles earlier on:
what a scanner has seen long ago decides what it reports, so a stream that began later would differ for ever."""
BEFORE: Final = 350
"""The longest pattern (250 candles), the age of a detection, and some for the first pivots."""
LOOKBACK: Final = 14
"""Candles of the average true range, before which nothing is told."""
SETTLE: Final = BLOCK - 1 + BEFORE
"""Candles before the first row that no older history could change. So a live close, which has little more than these
before it, reads of one block or two, and these do not begin where its candles do."""
SIDE: Final = "chart_pattern_side"
_SCANS: Final = KeptScans()


def _freshness(h: History) -> Array:
    """Of each pattern 1 at the candle at which it was known, 0 after `AGE` candles; its sign is its side.

    Shape (n_candles, 15), in the order of `PATTERNS`; those that point neither way are above 0. Blocks of which no
    row is read are not scanned.
    """
    found = np.zeros((len(h.close), len(PATTERNS)))
    blocks = h.open_time_ms // (BLOCK * h.timeframe_ms)
    edges = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(found)]
    values = np.stack([getattr(h, name) for name in CANDLE_FIELDS], axis=1)
    names = list(PATTERNS)
    for start, stop in pairwise(edges):
        if stop <= h.read_from:
            found[start:stop] = np.nan
            continue
        first = max(0, start - BEFORE)
        after = outages(h.open_time_ms[first:stop], h.timeframe_ms)
        begun = int(h.open_time_ms[first]), h.timeframe_ms
        for one in _SCANS.detections(begun, values[first:stop], after):
            known = first + one.known_at
            begin, end = max(known, start), min(known + AGE, stop)
            if begin < end:
                column = names.index(one.pattern)
                fresh = 1.0 - (np.arange(begin, end) - known) / AGE
                found[begin:end, column] = fresh * (one.side or 1)
    found[:LOOKBACK] = np.nan
    return found


def chart_freshness(h: History) -> Array:
    """`_freshness`, computed once for all factors of a history."""
    return h.once("chart_freshness", 0, lambda: _freshness(h))


def _column(h: History, number: int) -> Array:
    column: Array = chart_freshness(h)[:, number].copy()
    return column


def _side(h: History) -> Array:
    sided = [number for number, side in enumerate(PATTERNS.values()) if side]
    total: Array = chart_freshness(h)[:, sided].sum(axis=1)
    return np.clip(total, -1.0, 1.0)


FACTORS: Final[tuple[Factor, ...]] = (
    *(
        _factor(
            name,
            LOOKBACK,
            partial(_column, number=number),
            f"{name.replace('_', ' ')}: {'-' if side < 0 else ''}1 when known, 0 after {AGE} candles",
            "score",
            settle=SETTLE,
        )
        for number, (name, side) in enumerate(PATTERNS.items())
    ),
    _factor(
        SIDE,
        LOOKBACK,
        _side,
        "sum of the chart patterns that point up or down, cut to -1 .. 1",
        "score",
        settle=SETTLE,
    ),
)
