"""The factors that a model reads, watched one by one: the newest row of them, at training and when it trades.

Watched are the first 32 columns of the instrument itself in the timeframe that is traded. Those of companions and of
longer timeframes are the same factors of other candles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.inference.base import NOBODY, AbstractView
from triptych.inference.closed_market import beside_now, past_of
from triptych.inference.inputs import FactorRows

MOST_WATCHED: Final = 32


class SeenFactors:
    """Rows of watched factors.

    Attributes:
        names: of the watched factors, at most 32; empty of a model that reads candles.
    """

    def __init__(self, rows: FactorRows) -> None:
        self._rows = rows
        self.names: tuple[str, ...] = rows.columns[:MOST_WATCHED] if rows.has_factors else ()

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> dict[str, NDArray[np.float64]]:
        """By factor, its values at the closes of candles `ends` of a history, float64 of shape (n,); NaN where it is
        not known. Arguments and errors as for `FactorRows.rows`.
        """
        if not self.names:
            return {}
        rows = self._rows.rows(series, companions)[ends].astype(np.float64)
        return {name: rows[:, column] for column, name in enumerate(self.names)}

    def now(self, view: AbstractView, symbol: str) -> dict[str, float]:
        """By factor, its value at the newest close; empty where candles are missing."""
        length, look_back = self._rows.candles(1), self._rows.look_back(1)
        history = view.history(symbol, length) if self.names else None
        if history is None:
            return {}
        there = beside_now(view, history, self._rows.beside(symbol), length, look_back)
        if there is None:
            return {}
        rows = self._rows.rows(history, there, past_of(view, history, look_back))
        return {name: float(rows[-1, column]) for column, name in enumerate(self.names)}
