"""The embedded synthetic market: deterministic by seed, needs no data and no network."""

from triptych.market.synthetic.book import BookLevels
from triptych.market.synthetic.market import Config, SyntheticMarket, synthesise
from triptych.market.synthetic.names import NAMES
from triptych.market.synthetic.volatility import REGIMES

__all__ = ["NAMES", "REGIMES", "BookLevels", "Config", "SyntheticMarket", "synthesise"]
