"""Thresholds of alarms that speak different languages, set by what they raise where there is nothing to find.

That is in the candles they have learnt from, put in random order (`market/shuffling.py`). What is asked for is a number
of these false alarms in 1,000 candles, the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.inference.switch_model import SwitchModel
from triptych.inference.switches import departure_alarms
from triptych.market.shuffling import shuffled

FALSE_ALARMS: Final = 1.0
"""False alarms in 1,000 candles that are asked for when nobody says otherwise."""
CALM: Final = 8_000
"""Candles that are put in random order, at most: the last ones before the judged part."""
ORDERS: Final = 5
"""Random orders: an alarm in 1,000 candles is eight in one order, too few to set a threshold by."""
SURE: Final = np.concatenate((np.linspace(0.5, 0.99, 50), 1.0 - np.geomspace(0.009, 1e-9, 60)))
"""Probabilities that may become a threshold."""


def threshold_for(
    wanted: float, raised: Callable[[float], int], thresholds: NDArray[np.float64], n_candles: int
) -> tuple[float, float]:
    """The lowest threshold with no more alarms than wanted, and how many it raises.

    Args:
        wanted: alarms in 1,000 candles.
        raised: how many alarms a threshold raises in `n_candles` in which there is nothing to find.
        thresholds: that may be chosen, rising; the last one is taken where none is high enough.
    """
    rate = float("inf")
    for threshold in thresholds.tolist():
        rate = 1000.0 * raised(threshold) / max(n_candles, 1)
        if rate <= wanted:
            break
    return threshold, rate


def set_threshold(histories: Sequence[CandleSeries], memory: int, false_alarms: float, seed: int) -> SwitchModel:
    """A model of switches fitted on histories of the training part, its threshold set on their last candles.

    Args:
        histories: one an instrument; of each the last `CALM` candles over their number are put in random order.
        memory: returns that an alarm is told from.
        false_alarms: in 1,000 candles, that are asked for.
        seed: of the orders.
    """
    model = SwitchModel.fit(histories)
    share = max(CALM // len(histories), 1)
    calm = [
        model.probabilities(shuffled(one.between(max(0, len(one) - share), len(one)), seed % 2**32 + number), memory)
        for one in histories
        for number in range(ORDERS)
    ]
    known = sum(int(np.isfinite(one[:, 0]).sum()) for one in calm)

    def raised(threshold: float) -> int:
        return sum(len(departure_alarms(one, threshold, memory // 2)) for one in calm)

    threshold, in_nothing = threshold_for(false_alarms, raised, SURE, known)
    return replace(model, threshold=threshold, asked=false_alarms, in_nothing=in_nothing)
