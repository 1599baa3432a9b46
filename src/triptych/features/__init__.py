"""Factors: indicators, price ratios, volatilities, calendar and candle patterns, normalised without a look ahead."""

from triptych.features.factor import Factor
from triptych.features.grid import GridHistory
from triptych.features.pipeline import Config, FeaturePipeline
from triptych.features.registry import available, describe, resolve, sets

__all__ = ["Config", "Factor", "FeaturePipeline", "GridHistory", "available", "describe", "resolve", "sets"]
