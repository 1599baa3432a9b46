"""Strategies: a prediction in, the wanted exposure out. One per file."""

from triptych.strategies import consensus as _consensus
from triptych.strategies.base import AbstractStrategy
from triptych.strategies.consensus import ConsensusStrategy
from triptych.strategies.threshold import Config, ThresholdStrategy

__all__ = ["AbstractStrategy", "Config", "ConsensusStrategy", "ThresholdStrategy", "create_strategy"]


def create_strategy(config: Config, consensus: _consensus.Config | None = None) -> AbstractStrategy:
    """The strategy that a recipe's `[strategy]` asks for; of several models, within what `[consensus]` allows."""
    strategy = ThresholdStrategy(config)
    return strategy if consensus is None else ConsensusStrategy(consensus, strategy)
