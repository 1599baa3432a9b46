"""What is read off the last rows of a recording of order books up to each close, as factors.

The rows are between the closes, where candles know nothing: somebody reads them beside the candles, online in live
trading as in training (`CandleSeries.notes`). Unknown where a row is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain.candle import BY_NETWORK
from triptych.features._history import History
from triptych.features.factor import Factor

WALLS: Final = (
    "bid_wall_bp", "bid_wall_size", "bid_wall_age", "ask_wall_bp", "ask_wall_size", "ask_wall_age",
    "spoofing_bid", "spoofing_ask",
)  # fmt: skip
NETWORK: Final = ("book_network_sell", "book_network_hold", "book_network_buy")

_LEVELS: Final = 10
_MEANINGS: Final = {
    "wall_bp": ("distance of the nearest {side} wall from the mid; of a side without one that of its deepest level",
                "basis points"),
    "wall_size": ("log(size of that wall / usual level of the side); 0 without one", "logarithm"),
    "wall_age": ("share of the rows read for which that wall has stood; 0 without one", "fraction"),
}  # fmt: skip


def _noted(name: str) -> Callable[[History], NDArray[np.float64]]:
    return lambda history: history.note(name)


def _of_walls() -> list[Factor]:
    found = []
    for name in WALLS:
        if name.startswith("spoofing"):
            side = "bids" if name.endswith("bid") else "asks"
            meaning, unit = f"highest score of spoofing by pulled layers of {side} in the rows read", "score"
        else:
            side, rest = name.split("_", 1)
            meaning, unit = _MEANINGS[rest]
            meaning = meaning.format(side=side)
        found.append(
            Factor(name=name, family="book", description=meaning, lookback=0, settle=0, unit=unit,
                   compute=_noted(name), levels=_LEVELS, notes="walls")
        )  # fmt: skip
    return found


FACTORS: Final[tuple[Factor, ...]] = (
    *_of_walls(),
    *(
        Factor(
            name=name, family="book", lookback=0,
            description=f"probability of {name.rsplit('_', 1)[1]} by a network of order books",
            settle=0, unit="fraction", compute=_noted(f"{BY_NETWORK}{name}"), levels=1, notes="network",
        )
        for name in NETWORK
    ),
)  # fmt: skip
