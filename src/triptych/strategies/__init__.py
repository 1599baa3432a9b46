"""Strategies: a prediction in, the wanted exposure out. One per file."""

from triptych.strategies.base import AbstractStrategy
from triptych.strategies.threshold import Config, ThresholdStrategy

__all__ = ["AbstractStrategy", "Config", "ThresholdStrategy", "create_strategy"]


def create_strategy(config: Config) -> AbstractStrategy:
    """The strategy that a recipe's `[strategy]` asks for."""
    return ThresholdStrategy(config)
