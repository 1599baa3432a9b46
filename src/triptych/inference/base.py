"""The interfaces of everything that turns candles into a prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Foretold, Prediction

NOBODY: Final[Mapping[str, CandleSeries]] = MappingProxyType({})
"""No companions."""
Figures = dict[str, NDArray[np.float32]]
"""Foretold figures by task, each of shape (batch,)."""
CHUNK = 2048
"""Windows cut at a time: enough to keep a network busy, little enough for a small PC's memory."""


class AbstractView(ABC):
    """The candles that have closed by now: all that a predictor may look at when it is asked."""

    @abstractmethod
    def history(self, symbol: str, length: int) -> CandleSeries | None:
        """The last `length` closed candles of an instrument; None while there are fewer."""

    def latest(self, symbol: str, most: int) -> CandleSeries | None:
        """As many of the last `most` closed candles of an instrument as there are; None where there is none."""
        found, enough, too_many = self.history(symbol, most), 0, most
        while found is None and too_many - enough > 1:
            middle = (enough + too_many) // 2
            if self.history(symbol, middle) is None:
                too_many = middle
            else:
                enough = middle
        return found if found is not None or not enough else self.history(symbol, enough)


class AbstractPredictor(ABC):
    """Candles in, prediction out: the one way from candles to probabilities in backtest, paper and live.

    Attributes:
        length: candles of an instrument that a prediction takes.
        look_back: candles before these that it looks at too, where there are as many; nothing waits for them.
        companions: other instruments whose candles it takes as well, as many of each.
        name: what predictions are signed with.
        horizon: candles ahead that its foretold figures are of; 0 of a model that foretells none.
    """

    length: int
    look_back: int = 0
    companions: tuple[str, ...] = ()
    name: str
    horizon: int = 0

    @property
    def kept(self) -> int:
        """Candles of an instrument that a session keeps for it, and fetches before it begins."""
        return self.length + self.look_back

    @abstractmethod
    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Class probabilities of a batch of what the network itself reads.

        Args:
            windows: array of shape (batch, length, 5), raw closed candles; of a model that reads factors, windows of
                its factors, shape (batch, rows, columns).

        Returns:
            float32 array of shape (batch, 3): sell, hold, buy; rows sum to 1.
        """

    def returns(self, windows: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """Foretold returns over the horizon as fractions, float32 of shape (batch,); None of a model that has none.

        Args:
            windows: as for `probabilities`.
        """
        return None

    def foretold(self, windows: NDArray[np.floating]) -> Figures:
        """Figures foretold beside the class, by task, each of shape (batch,); empty of a model that has none.

        `size`: return over the horizon as a fraction. `volatility`: root of the sum of squared log returns over it.

        Args:
            windows: as for `probabilities`.
        """
        return {}

    def answers(self, windows: NDArray[np.floating]) -> tuple[NDArray[np.float32], Figures]:
        """What `probabilities` and `foretold` say of the same windows, in one call of the network where it has both."""
        return self.probabilities(windows), self.foretold(windows)

    def predict(self, symbol: str, window: NDArray[np.floating], close_time_ms: int) -> Prediction:
        """The prediction from one window as `probabilities` takes it, at the close of its last candle."""
        rows, figures = self.answers(window[None])
        return self.signed(symbol, close_time_ms, rows[0], self._told(figures, 0))

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float32]:
        """Class probabilities at the closes of candles `ends` of a history.

        Args:
            series: the history of the instrument.
            ends: int64 array of shape (n,), each at least `length` - 1.
            companions: histories of the companions by symbol.

        Returns:
            float32 array of shape (n, 3); a row is NaN where a companion's candles are missing.
        """
        parts = [
            self.probabilities(series.windows(ends[start : start + CHUNK], self.length))
            for start in range(0, len(ends), CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 3), dtype=np.float32)

    def foretold_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> Figures:
        """What `foretold` says at the closes of candles `ends`; arguments as for `over`, NaN where that is NaN."""
        if not self.horizon:
            return {}
        chunks = [ends[start : start + CHUNK] for start in range(0, max(len(ends), 1), CHUNK)]
        return joined_figures([self.foretold(series.windows(chunk, self.length)) for chunk in chunks])

    def predictions_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> list[Prediction]:
        """`over` as predictions, one for each of `ends`; not usable where a companion's candles are missing."""
        closes = series.close_time_ms[ends].tolist()
        rows = self.over(series, ends, companions)
        figures = self.foretold_over(series, ends, companions)
        return [
            self.signed(series.symbol, time_ms, row, self._told(figures, i))
            for i, (time_ms, row) in enumerate(zip(closes, rows, strict=True))
        ]

    def window_now(self, view: AbstractView, symbol: str) -> NDArray[np.floating] | None:
        """What the network would read of an instrument now, without the batch axis; None where candles are missing."""
        history = view.history(symbol, self.length)
        return None if history is None else history.values

    def predict_now(self, view: AbstractView, symbol: str, close_time_ms: int) -> Prediction | None:
        """The prediction for an instrument from what has closed by now; None where candles are missing."""
        return self.predict_all(view, {symbol: close_time_ms})[symbol]

    def predict_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Prediction | None]:
        """Predictions for several instruments from what has closed by now, in one call of the network.

        Args:
            view: the candles known now.
            closes: close time of the newest candle by symbol, UTC milliseconds.

        Returns:
            One entry a symbol; None where candles are missing.
        """
        windows = {symbol: self.window_now(view, symbol) for symbol in closes}
        there = [symbol for symbol, window in windows.items() if window is not None]
        answers: dict[str, Prediction | None] = dict.fromkeys(closes)
        if there:
            rows, figures = self.answers(np.stack([window for window in windows.values() if window is not None]))
            answers |= {
                symbol: self.signed(symbol, closes[symbol], rows[i], self._told(figures, i))
                for i, symbol in enumerate(there)
            }
        return answers

    def _told(self, figures: Figures, place: int) -> Foretold | None:
        """The figures of one window; None where there are none."""
        if not (self.horizon and figures):
            return None
        return Foretold(horizon=self.horizon, **{task: float(values[place]) for task, values in figures.items()})

    def signed(
        self,
        symbol: str,
        close_time_ms: int,
        probabilities: Iterable[float],
        foretold: Foretold | None = None,
    ) -> Prediction:
        """Probabilities of sell, hold and buy, and figures beside them, as a prediction of this model."""
        sell, hold, buy = (float(p) for p in probabilities)
        return Prediction(
            symbol=symbol, time_ms=close_time_ms, model=self.name,
            probability_sell=sell, probability_hold=hold, probability_buy=buy, foretold=foretold,
        )  # fmt: skip


def joined_figures(parts: Sequence[Figures]) -> Figures:
    """Figures of windows that were asked about in parts, in their order."""
    return {task: np.concatenate([part[task] for part in parts]) for task in parts[0]}
