"""A predictor that carries the memory of its network from candle to candle.

A network learned from windows of so many candles. Carried along for ever its memory would be older than anything it has
seen in training, and what it says would depend on when the process began. So memory begins anew by the clock: candles
are numbered by their time, and the first of every `renewal` of them ends a window of `length` candles that is read from
nothing. After it each candle is one step. An answer is thus that of a window of `length` to `length` + `renewal` - 1
candles: the same after a restart, in a backtest and live. With `renewal` 1 it is that of the window alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Prediction
from triptych.domain.errors import RecipeError
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView
from triptych.inference.closed_market import beside_now, past_of
from triptych.inference.closing_times import NO_PAST
from triptych.inference.inputs import FactorRows
from triptych.inference.step import AbstractStep, State

GROUPS_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class _Memory:
    """What an instrument's stream remembers after the candle that closed at `close_ms`."""

    close_ms: int
    group: int
    state: State


class StreamingPredictor(AbstractPredictor):
    """Asks the step of a network, one candle after the other.

    Args:
        step: of the network.
        rows: makes the factors.
        length: candles of the window that a memory begins with.
        renewal: candles after which it begins anew; 0 for `length`.
        name: what predictions are signed with.

    Raises RecipeError for a negative renewal, and for windows of longer candles or of whole days.
    """

    def __init__(self, step: AbstractStep, rows: FactorRows, *, length: int, renewal: int = 0, name: str = "") -> None:
        if renewal < 0:
            raise RecipeError(f"A memory is renewed after 1 candle or more, was {renewal}.", remedy="Leave it out.")
        if rows.period > 1:
            raise RecipeError(
                "A memory is carried from candle to candle, and windows of longer candles stand still between them.",
                remedy="Set features.period to 1, or ask window by window.",
            )
        if rows.day.hours:
            raise RecipeError(
                "A memory is carried from candle to candle, and windows of whole days have places without one.",
                remedy="Empty features.day.hours, or ask window by window.",
            )
        self.name, self.companions, self.renewal = name, rows.companions, renewal or length
        self.length = rows.warm_up + length + self.renewal - 1
        self.look_back = rows.look_back(length + self.renewal - 1)
        self._step, self._rows, self._window = step, rows, length
        self._memories: dict[str, _Memory] = {}

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return self._step.through(windows)

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float32]:
        return self._over(series, ends, companions)[0]

    def window_now(self, view: AbstractView, symbol: str) -> NDArray[np.floating] | None:
        """The rows that the memory holds by now, shape (rows, columns): more of them from candle to candle."""
        found = self._histories(view, symbol, self.length)
        if found is None:
            return None
        own, others = found
        rows, groups = self._rows.rows(own, others, past_of(view, own, self.look_back)), self._groups(own)
        held = rows[int(np.searchsorted(groups, groups[-1], side="left")) - (self._window - 1) :]
        return None if np.isnan(held).any() else held

    def predict_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Prediction | None]:
        answers: dict[str, Prediction | None] = {}
        for symbol, close_ms in closes.items():
            answer = self._next(view, symbol)
            if answer is None:
                answer = self._anew(view, symbol)
            answers[symbol] = None if answer is None else self.signed(symbol, close_ms, answer)
        return answers

    def _next(self, view: AbstractView, symbol: str) -> NDArray[np.float32] | None:
        """One step from the memory; None when it does not end with the candle before, or has come to its end."""
        memory = self._memories.get(symbol)
        if memory is None:
            return None
        found = self._histories(view, symbol, self._rows.warm_up + 2)
        if found is None:
            return None
        own, others = found
        group = int(self._groups(own)[-1])
        if int(own.close_time_ms[-2]) != memory.close_ms or group != memory.group:
            return None
        row = self._rows.rows(own, others, past_of(view, own, self.look_back))[-1:]
        if np.isnan(row).any():
            return None
        (answer,), state = self._step(row, memory.state)
        self._memories[symbol] = _Memory(close_ms=int(own.close_time_ms[-1]), group=group, state=state)
        return np.asarray(answer)

    def _anew(self, view: AbstractView, symbol: str) -> NDArray[np.float32] | None:
        """The memory from nothing, through all candles since the last renewal."""
        self._memories.pop(symbol, None)
        found = self._histories(view, symbol, self.length)
        if found is None:
            return None
        own, others = found
        (answer,), state = self._over(own, np.array([len(own) - 1]), others, past_of(view, own, self.look_back))
        if np.isnan(answer).any():
            return None
        self._memories[symbol] = _Memory(
            close_ms=int(own.close_time_ms[-1]), group=int(self._groups(own)[-1]), state=state
        )
        return np.asarray(answer)

    def _histories(
        self, view: AbstractView, symbol: str, length: int
    ) -> tuple[CandleSeries, dict[str, CandleSeries]] | None:
        own = view.history(symbol, length)
        if own is None:
            return None
        there = beside_now(view, own, self._rows.beside(symbol), length, self.look_back)
        return None if there is None else (own, there)

    def _groups(self, series: CandleSeries) -> NDArray[np.int64]:
        """Number of the memory that each candle belongs to, by its time."""
        groups: NDArray[np.int64] = series.open_time_ms // series.timeframe.milliseconds // self.renewal
        return groups

    def _over(
        self,
        series: CandleSeries,
        ends: NDArray[np.int64],
        companions: Mapping[str, CandleSeries],
        past_ms: NDArray[np.int64] = NO_PAST,
    ) -> tuple[NDArray[np.float32], State]:
        """Answers at `ends`, each at least `length` - 1, NaN where a row is unknown; and the state of the last batch.

        Memories run side by side: each reads its window and then its candles, one step for all at a time.
        """
        rows, groups = self._rows.rows(series, companions, past_ms), self._groups(series)
        first = np.searchsorted(groups, groups[ends], side="left")  # the candle at which the memory of each began
        begins, memory_of = np.unique(first - (self._window - 1), return_inverse=True)
        found = np.full((len(ends), 3), np.nan, dtype=np.float32)
        state: State = []
        for start in range(0, len(begins), GROUPS_AT_ONCE):
            mine = np.flatnonzero((memory_of >= start) & (memory_of < start + GROUPS_AT_ONCE))
            begin = begins[start : start + GROUPS_AT_ONCE]
            which, at = memory_of[mine] - start, ends[mine] - begins[memory_of[mine]]
            state = self._step.fresh(len(begin))
            for t in range(int(at.max()) + 1):
                answers, state = self._step(rows[np.minimum(begin + t, len(rows) - 1)], state)
                due = at == t
                found[mine[due]] = answers[which[due]]
        unknown = np.concatenate(([0], np.cumsum(np.isnan(rows).any(axis=1))))
        found[unknown[ends + 1] > unknown[begins[memory_of]]] = np.nan
        return found, state
