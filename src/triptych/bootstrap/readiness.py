"""Models made ready before the first decision, for which there is a deadline.

What a model does for the first time takes longer: loops are compiled, libraries loaded, memory taken. A filter of
regimes took three seconds of a first decision, a compiled factor ten on a machine that has never seen it. So each model
is asked once, on made candles, when it is loaded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.inference import AbstractPredictor, AbstractView, Artifact, ConsensusArtifact

NOBODY_TRADES: Final = "MADE"
"""Symbol of the made candles: a model with a memory keeps that of each symbol apart."""


class MadeView(AbstractView):
    """A market that nobody trades: every instrument has as many candles as are asked for, and the same ones.

    Args:
        timeframe: of the candles.
        levels: of the book beside each candle; 0 for none.
        notes: names of what is read off the books beside.
    """

    def __init__(self, timeframe: Timeframe, *, levels: int = 0, notes: Sequence[str] = ()) -> None:
        self._timeframe, self._levels, self._notes = timeframe, levels, notes

    def history(self, symbol: str, length: int) -> CandleSeries:
        rng = np.random.default_rng(0)
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, length)))
        open_ = np.concatenate(([100.0], close[:-1]))
        spread = 1.0 + rng.uniform(0.0, 1e-3, length)
        high, low = np.maximum(open_, close) * spread, np.minimum(open_, close) / spread
        apart = 1e-4 * close[:, None] * np.arange(1, self._levels + 1)
        size = np.ones_like(apart)
        return CandleSeries(
            instrument=Instrument(symbol=symbol),
            timeframe=self._timeframe,
            open_time_ms=np.arange(length, dtype=np.int64) * self._timeframe.milliseconds,
            values=np.column_stack((open_, high, low, close, rng.uniform(1.0, 2.0, length))),
            books=np.hstack((close[:, None] - apart, size, close[:, None] + apart, size)) if self._levels else None,
            notes={name: rng.uniform(0.0, 1.0, length) for name in self._notes} or None,
        )


def made_ready(predictor: AbstractPredictor, artifact: Artifact | ConsensusArtifact) -> AbstractPredictor:
    """The predictor, asked once.

    A model that fails here is not refused: the ladder deals with what fails, at each decision, and says so.
    """
    with contextlib.suppress(Exception):
        need = artifact.books
        levels = 0 if need is None else need.levels
        notes = () if need is None else tuple(name for one in need.readers for name in one.names)
        timeframe = Timeframe.parse(artifact.card.timeframe)
        view = MadeView(timeframe, levels=levels, notes=notes)
        predictor.predict_all(view, {NOBODY_TRADES: predictor.length * timeframe.milliseconds})
    return predictor
