"""The predictor of a network that reads factors: candles to rows, rows to windows, windows to probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Foretold, Prediction
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView, Figures
from triptych.inference.closed_market import beside_now, past_of
from triptych.inference.inputs import FactorRows

CHUNK_BYTES = 64 * 2**20
"""Memory of the windows that are cut at a time."""


class FactorPredictor(AbstractPredictor):
    """Asks the network inside about windows of factors.

    It takes as many candles as the factors need to settle before the window, so the last candles alone give what the
    whole history gives. Of rows laid out by trading days there is an answer at a day's close only: NaN, or none,
    elsewhere.
    """

    def __init__(self, network: AbstractPredictor, rows: FactorRows) -> None:
        """Join a predictor whose windows are rows of factors with what makes these rows."""
        self.name, self.horizon = network.name, network.horizon
        self.companions = rows.companions
        self.length, self.look_back = rows.candles(network.length), rows.look_back(network.length)
        self._network = network
        self._rows = rows
        self._last: dict[str, tuple[NDArray[np.floating], NDArray[np.float32], Foretold | None]] = {}

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return self._network.probabilities(windows)

    def returns(self, windows: NDArray[np.floating]) -> NDArray[np.float32] | None:
        return self._network.returns(windows)

    def foretold(self, windows: NDArray[np.floating]) -> Figures:
        return self._network.foretold(windows)

    def answers(self, windows: NDArray[np.floating]) -> tuple[NDArray[np.float32], Figures]:
        return self._network.answers(windows)

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float32]:
        found = np.full((len(ends), 3), np.nan, dtype=np.float32)
        for chosen, windows in self._cut(series, ends, companions):
            found[chosen] = self._network.probabilities(windows)
        return found

    def foretold_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> Figures:
        found: Figures = {}
        for chosen, windows in self._cut(series, ends, companions) if self.horizon else ():
            for task, values in self._network.foretold(windows).items():
                found.setdefault(task, np.full(len(ends), np.nan, dtype=np.float32))[chosen] = values
        return found

    def _cut(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
        """Places among `ends` where the window is known, with the windows, some at a time."""
        table, length = self._rows.table(series, companions), self._network.length
        known = np.flatnonzero(table.known(length)[ends])
        windows = table.windows(length)
        step = max(1, CHUNK_BYTES // (4 * length * table.values.shape[1]))
        for start in range(0, len(known), step):
            chosen = known[start : start + step]
            yield chosen, windows[table.ends[ends[chosen]] - (length - 1)]

    def predict_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Prediction | None]:
        """As the interface says. Between two closes of longer candles the picture is the same, and so is the answer."""
        if self._rows.period == 1:
            return super().predict_all(view, closes)
        windows = {symbol: self.window_now(view, symbol) for symbol in closes}
        there = {symbol: window for symbol, window in windows.items() if window is not None}
        fresh = {s: w for s, w in there.items() if s not in self._last or not np.array_equal(self._last[s][0], w)}
        if fresh:
            rows, figures = self.answers(np.stack(list(fresh.values())))
            self._last |= {s: (w, rows[i], self._told(figures, i)) for i, (s, w) in enumerate(fresh.items())}
        return {s: self.signed(s, closes[s], *self._last[s][1:]) if s in there else None for s in closes}

    def window_now(self, view: AbstractView, symbol: str) -> NDArray[np.floating] | None:
        last = view.history(symbol, 1)
        if last is None or not self._rows.ends_window(last):
            return None
        own = view.history(symbol, self.length)
        if own is None:
            return None
        there = beside_now(view, own, self._rows.beside(symbol), self.length, self.look_back)
        if there is None:
            return None
        table, length = self._rows.table(own, there, past_of(view, own, self.look_back)), self._network.length
        return table.values[table.ends[-1] - (length - 1) : table.ends[-1] + 1] if table.known(length)[-1] else None
