"""Predictions made beforehand in batches, handed out one by one: what makes replay fast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Prediction
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView, Figures

if TYPE_CHECKING:
    from triptych.inference.regime_teller import ToldRegimes


class RecordedPredictor(AbstractPredictor):
    """Stands in for the predictor that made the record.

    A prediction that is not in the record is asked of that predictor, so that a gap in the record costs time and never
    changes a decision. Predictions are kept as they come out of a batch; a network may differ from them in the last
    digits when it is asked for one window alone.
    """

    def __init__(self, inner: AbstractPredictor, *, least: int = 0) -> None:
        """Stand in for `inner`, which is asked once an instrument has as many candles as it needs, and `least`."""
        self.length = max(inner.length, least)
        self.look_back = max(0, inner.kept - self.length)
        self.name, self.horizon = inner.name, inner.horizon
        self.companions = inner.companions
        self._inner = inner
        self._record: dict[str, dict[int, list[float] | Prediction]] = {}

    @classmethod
    def record(
        cls,
        predictor: AbstractPredictor,
        series: Sequence[CandleSeries],
        *,
        start_ms: int,
        end_ms: int,
        companions: Mapping[str, CandleSeries] = NOBODY,
    ) -> RecordedPredictor:
        """Predict at every close in [start_ms, end_ms) whose window lies within the history."""
        recorded = cls(predictor)
        for one in series:
            closes = one.close_time_ms
            ends = np.flatnonzero((closes >= start_ms) & (closes < end_ms))
            ends = ends[ends >= predictor.length - 1]
            recorded.remember(predictor.predictions_over(one, ends, companions))
        return recorded

    def add(
        self,
        symbol: str,
        close_times_ms: NDArray[np.int64],
        probabilities: NDArray[np.floating],
        regimes: ToldRegimes | None = None,
        figures: Figures | None = None,
    ) -> None:
        """Record predictions: close times of shape (n,), probabilities of shape (n, 3): sell, hold, buy.

        `regimes` is what was told of the market at these closes, where anything was; `figures` what was foretold beside
        the class, by task, each of shape (n,).
        """
        times, rows = close_times_ms.tolist(), probabilities.tolist()
        if regimes is None and not figures:
            self._record.setdefault(symbol, {}).update(zip(times, rows, strict=True))
            return
        signed = [self.signed(symbol, at, row, self._told(figures or {}, i))
                  for i, (at, row) in enumerate(zip(times, rows, strict=True))]  # fmt: skip
        self.remember(signed if regimes is None else regimes.beside(signed))

    def remember(self, predictions: Iterable[Prediction]) -> None:
        """Record whole predictions, with the votes they carry."""
        for one in predictions:
            self._record.setdefault(one.symbol, {})[one.time_ms] = one

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return self._inner.probabilities(windows)

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float32]:
        return self._inner.over(series, ends, companions)

    def foretold_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> Figures:
        return self._inner.foretold_over(series, ends, companions)

    def predict_now(self, view: AbstractView, symbol: str, close_time_ms: int) -> Prediction | None:
        """As the interface says, from the record where it has an answer."""
        found = self._record.get(symbol, {}).get(close_time_ms)
        if found is None:
            return self._inner.predict_now(view, symbol, close_time_ms)
        return found if isinstance(found, Prediction) else self.signed(symbol, close_time_ms, found)
