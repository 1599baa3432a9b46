"""The simulated exchange: just another venue, and the one that backtests trade on."""

from triptych.exchanges.simulated.costs import Config
from triptych.exchanges.simulated.venue import SimulatedExchange

__all__ = ["Config", "SimulatedExchange"]
