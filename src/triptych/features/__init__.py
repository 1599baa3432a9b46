"""Factors: indicators, price ratios, volatilities, calendar, candle patterns, order books; normalised without a look
ahead.
"""

from triptych.features.factor import Factor
from triptych.features.pipeline import Config, FeaturePipeline
from triptych.features.registry import available, describe, levels_read, of_books, resolve, sets, without_repeats

__all__ = [
    "Config",
    "Factor",
    "FeaturePipeline",
    "available",
    "describe",
    "levels_read",
    "of_books",
    "resolve",
    "sets",
    "without_repeats",
]
