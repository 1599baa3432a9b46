"""Factors: indicators, price ratios, volatilities, calendar and candle patterns, normalised without a look ahead."""

from triptych.features.factor import Factor
from triptych.features.pipeline import Config, FeaturePipeline
from triptych.features.registry import available, describe, resolve, sets, without_repeats

__all__ = ["Config", "Factor", "FeaturePipeline", "available", "describe", "resolve", "sets", "without_repeats"]
