"""Strategies: a prediction in, the wanted exposure out. One per file."""

from triptych.strategies import consensus as _consensus
from triptych.strategies import regime as _regime
from triptych.strategies.base import AbstractStrategy
from triptych.strategies.consensus import ConsensusStrategy
from triptych.strategies.regime import RegimeStrategy
from triptych.strategies.threshold import Config, ThresholdStrategy

__all__ = ["AbstractStrategy", "Config", "ConsensusStrategy", "RegimeStrategy", "ThresholdStrategy", "create_strategy"]


def create_strategy(
    config: Config, consensus: _consensus.Config | None = None, regimes: _regime.Config | None = None
) -> AbstractStrategy:
    """The strategy that a recipe's `[strategy]` asks for; of several models, within what `[consensus]` allows.

    With `[regimes]` in use it keeps of every wish what the regime allows.
    """
    strategy: AbstractStrategy = ThresholdStrategy(config)
    if consensus is not None:
        strategy = ConsensusStrategy(consensus, strategy)
    return RegimeStrategy(strategy, regimes) if regimes is not None and regimes.use else strategy
