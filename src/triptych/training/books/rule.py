"""The rule that every network of books must beat: two quantiles of the queue imbalance.

The side with the longer queue at the best price tends to stay, and the price to move against the shorter one (Gould and
Bonart, "Queue Imbalance as a One-Tick-Ahead Price Predictor in a Limit Order Book", Market Microstructure and Liquidity
2(2), 2016). One number of the last book, no training but two quantiles: what a network cannot add to this it has not
learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BUY, HOLD, SELL
from triptych.domain.errors import NotEnoughData


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueRule:
    """Sell below `low`, buy above `high`, hold between."""

    low: float
    high: float

    def classes(self, queue: NDArray[np.float64]) -> NDArray[np.int64]:
        """int64 of shape (n,) for queue imbalances of shape (n,)."""
        return np.select([queue > self.high, queue < self.low], [BUY, SELL], HOLD).astype(np.int64)


def fit_queue_rule(queue: NDArray[np.float64], labels: NDArray[np.int64]) -> QueueRule:
    """The quantiles at which the rule sells and buys as often as the labels of the training part do.

    Raises NotEnoughData for no rows.
    """
    if not len(labels):
        raise NotEnoughData("The rule of queue imbalance has no training rows.", remedy="Bring longer recordings.")
    low, high = np.quantile(queue, [float(np.mean(labels == SELL)), 1.0 - float(np.mean(labels == BUY))])
    return QueueRule(low=float(low), high=float(max(low, high)))
