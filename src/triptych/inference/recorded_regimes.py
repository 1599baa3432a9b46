"""Regimes of a recorded history, looked up by the close at which they were known: for backtests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.domain.errors import DataError
from triptych.inference.regimes import REGIMES


class RecordedRegimes:
    """Filtered probabilities of several histories; each row was known at the close of its candle."""

    def __init__(self, histories: Sequence[CandleSeries], probabilities: Sequence[NDArray[np.float64]]) -> None:
        """Take one array of shape (n_candles, 5) for each history. Raises DataError where they do not fit."""
        self._times = {}
        self._rows = {}
        for one, rows in zip(histories, probabilities, strict=True):
            if rows.shape != (len(one), len(REGIMES)):
                raise DataError(
                    f"{one.symbol}: expected probabilities of shape ({len(one)}, {len(REGIMES)}), was {rows.shape}.",
                    remedy="Give one row a candle and one column a regime.",
                )
            self._times[one.symbol] = one.close_time_ms
            self._rows[one.symbol] = rows

    def at(self, symbol: str, time_ms: int) -> Mapping[str, float] | None:
        """Probability of each regime by the last close at or before a time (UTC); None while it is not known."""
        if symbol not in self._times:
            return None
        position = int(np.searchsorted(self._times[symbol], time_ms, side="right")) - 1
        if position < 0 or not np.isfinite(self._rows[symbol][position]).all():
            return None
        return dict(zip(REGIMES, self._rows[symbol][position].tolist(), strict=True))
