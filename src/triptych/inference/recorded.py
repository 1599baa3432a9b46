"""Predictions made beforehand in batches, handed out one by one: what makes replay fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Prediction
from triptych.inference.base import AbstractPredictor


class RecordedPredictor(AbstractPredictor):
    """Stands in for the predictor that made the record.

    A prediction that is not in the record is asked of that predictor, so that a gap in the record costs time and never
    changes a decision. Predictions are kept as they come out of a batch; a network may differ from them in the last
    digits when it is asked for one window alone.
    """

    def __init__(self, inner: AbstractPredictor) -> None:
        self.length = inner.length
        self.name = inner.name
        self._inner = inner
        self._record: dict[str, dict[int, list[float]]] = {}

    @classmethod
    def record(
        cls,
        predictor: AbstractPredictor,
        series: Sequence[CandleSeries],
        *,
        start_ms: int,
        end_ms: int,
        batch_size: int = 256,
    ) -> RecordedPredictor:
        """Predict at every close in [start_ms, end_ms) whose window lies within the history."""
        recorded = cls(predictor)
        for one in series:
            closes = one.close_time_ms
            ends = np.flatnonzero((closes >= start_ms) & (closes < end_ms))
            ends = ends[ends >= predictor.length - 1]
            for i in range(0, len(ends), batch_size):
                batch = ends[i : i + batch_size]
                recorded.add(one.symbol, closes[batch], predictor.probabilities(one.windows(batch, predictor.length)))
        return recorded

    def add(self, symbol: str, close_times_ms: NDArray[np.int64], probabilities: NDArray[np.floating]) -> None:
        """Record predictions: close times of shape (n,), probabilities of shape (n, 3): sell, hold, buy."""
        self._record.setdefault(symbol, {}).update(zip(close_times_ms.tolist(), probabilities.tolist(), strict=True))

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return self._inner.probabilities(windows)

    def predict(self, symbol: str, window: NDArray[np.floating], close_time_ms: int) -> Prediction:
        """As the interface says, from the record where it has an answer."""
        found = self._record.get(symbol, {}).get(close_time_ms)
        if found is None:
            return self._inner.predict(symbol, window, close_time_ms)
        sell, hold, buy = found
        return Prediction(
            symbol=symbol, time_ms=close_time_ms, model=self.name,
            probability_sell=sell, probability_hold=hold, probability_buy=buy,
        )  # fmt: skip
