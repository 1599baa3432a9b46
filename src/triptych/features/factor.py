"""One factor: a number for each candle, and how much history it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triptych.features._history import History


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """A named function of the candles up to and including the one it belongs to.

    Attributes:
        name: in lower case, unique in the registry.
        family: price, trend, momentum, volatility, volume, calendar, pattern, chart_pattern, regime or book.
        description: the formula in words.
        lookback: candles before the first one at which a value is known.
        settle: candles before the first one whose value older history cannot change: by nothing at all for windows,
            by less than 1e-7 relative for exponential means, whose memory ends there.
        unit: of the value: fraction, 0..100, ratio, units of ATR, sine, score, basis points, logarithm.
        compute: from a history to float64 of shape (n_candles,), NaN in the first `lookback` rows and finite after; of
            a factor that reads order books also NaN where no book is known.
        levels: levels a side of the order book that it reads; 0: none, it is made of candles alone.
        notes: whose notes beside the candles it tells: `walls`, `network`; empty: nobody's.
    """

    name: str
    family: str
    description: str
    lookback: int
    settle: int
    unit: str
    compute: Callable[[History], NDArray[np.float64]] = field(repr=False, compare=False)
    levels: int = 0
    notes: Literal["", "walls", "network"] = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Writes factors of one family down: `family(name, lookback, compute, description, unit)`, one line each."""

    name: str

    def __call__(
        self,
        name: str,
        lookback: int,
        compute: Callable[[History], NDArray[np.float64]],
        description: str,
        unit: str = "fraction",
        *,
        settle: int | None = None,
        levels: int = 0,
    ) -> Factor:
        """A factor; `settle` is left out where the value stands on a window of `lookback` + 1 candles."""
        return Factor(
            name=name,
            family=self.name,
            description=description,
            lookback=lookback,
            settle=lookback if settle is None else settle,
            unit=unit,
            compute=compute,
            levels=levels,
        )
