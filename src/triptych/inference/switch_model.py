"""Alarms of market switches by a hidden Markov model of the sizes of returns: what a recipe acts on, what alarms tell.

The five named regimes of `inference/regimes.py` are read off measures over 48 and 240 candles, which follow a switch
slowly. This model sees one number a candle, the logarithm of the size of its return, and knows three kinds of market
by it, of no name. Rabiner 1989 for model and filter (`models/hidden_markov.py`).

An alarm at a close is told from the last `memory` returns and nothing else, so that a house that starts anew raises
the same ones: the filter at a close begins anew half of them before it, and so many closes are looked back on for the
kind that the market was of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.domain.signal import OF_LATE
from triptych.inference.switches import departure_alarms, since_alarm
from triptych.models.hidden_markov import Config, GaussianHmm

KINDS: Final = 3
"""Kinds of market that are told apart."""
LEARNT: Final = 20_000
"""Last returns that are learnt from, of all histories together: a year of half hours."""
SILENT: Final = 0.5
"""The lowest threshold that is tried: what earlier versions took where no alarm was possible."""
LEAST: Final = 0.1
"""Added to a size in standard deviations before its logarithm: a return of nothing would be endless."""


def log_returns(series: CandleSeries) -> NDArray[np.float64]:
    """Logarithms of close over close, shape (n_candles - 1,)."""
    found: NDArray[np.float64] = np.diff(np.log(series.close))
    return found


def log_sizes(returns: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Logarithms of the sizes of returns, in standard deviations `scale` of the training part; shape as given."""
    found: NDArray[np.float64] = np.log(np.abs(returns) / scale + LEAST)
    return found


def usual_size(returns: NDArray[np.float64]) -> float:
    """Standard deviation of returns, above zero."""
    return max(float(returns.std()), 1e-12)


def looks_back(memory: int) -> int:
    """Candles before the first at which an alarm is possible: half of `memory` for the filter, half to look back on."""
    return 2 * (memory // 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class InNothing:
    """What the threshold raises on the candles of one instrument in random order.

    Attributes:
        symbol: the instrument.
        rows: candles in random order.
        alarms: in 1,000 of them.
        low, high: their interval; those of all instruments hold together in 95 % of random orders (Bonferroni).
    """

    symbol: str
    rows: int
    alarms: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SwitchModel:
    """Kinds of market, and how sure it must be that the present one is over for an alarm.

    Attributes:
        model: over logarithms of sizes, shape (n, 1).
        scale: standard deviation of the returns of the training part.
        threshold: probability that any other kind than the present one must reach.
        asked: false alarms in 1,000 candles that it was set for.
        in_nothing: alarms that it raises in 1,000 candles of the training part in random order.
        low, high: their 95 % interval, of other random orders; both 0 where an earlier version set the threshold.
        rows: candles in random order that the threshold was set by, each with all before it that an alarm is told
            from; 0: it was set before they were counted, or never.
        instruments: the same by instrument, each with its share of the rows; empty where an earlier version set it.
        left_out: instruments with too few candles to be put in random order.
    """

    model: GaussianHmm
    scale: float
    threshold: float = 0.99
    asked: float = 0.0
    in_nothing: float = 0.0
    low: float = 0.0
    high: float = 0.0
    rows: int = 0
    instruments: tuple[InNothing, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def fit(cls, histories: Sequence[CandleSeries]) -> Self:
        """Fit on the last returns of histories that hold the training part only; the threshold is still to be set.

        Each history gives as many returns as any other, and what a short one lacks the others give.

        Raises NotEnoughData for fewer than 30 returns.
        """
        share, left = 0, LEARNT
        for taken, length in enumerate(sorted(len(one) - 1 for one in histories)):
            share = max(left // (len(histories) - taken), 1)
            left -= min(length, share)
        returns = np.concatenate([log_returns(one)[-share:] for one in histories])
        scale = usual_size(returns)
        return cls(model=GaussianHmm.fit(log_sizes(returns, scale)[:, None], Config(states=KINDS)), scale=scale)

    def probabilities(self, series: CandleSeries, memory: int) -> NDArray[np.float64]:
        """Probability of each kind at each close from the last `memory` // 2 returns, shape (n_candles, 3).

        NaN before there are so many.
        """
        found = np.full((len(series), KINDS), np.nan)
        if len(series) > 1:
            sizes = log_sizes(log_returns(series), self.scale)[:, None]
            found[1:] = self.model.filter_windows(sizes, memory // 2)
        return found

    def alarms(self, series: CandleSeries, memory: int) -> NDArray[np.int64]:
        """Candles at whose close the market is told to have switched, each from the last `memory` returns."""
        return departure_alarms(self.probabilities(series, memory), self.threshold, memory // 2)

    def since(self, series: CandleSeries, ends: NDArray[np.int64], memory: int) -> NDArray[np.int64]:
        """Candles since the last alarm at the closes `ends`, shape (n,); -1 where none of the last 240 closes had one.

        Those of a candle are the same whether a year or the last `memory` + 240 candles are given.
        """
        return since_alarm(self.alarms(series, memory), ends, OF_LATE)

    def notes(self) -> tuple[str, ...]:
        """What one must know before acting on its alarms, a sentence each."""
        if not self.rows and self.threshold <= SILENT:
            return ("The threshold of the alarms of switches was set on candles too few for any alarm: train again.",)
        said = []
        if self.in_nothing > self.asked:
            said.append(
                f"No threshold of the alarms of switches keeps {self.asked:g} false alarms in 1,000 candles: at the "
                f"highest they are {self.in_nothing:.1f}."
            )
        if self.left_out:
            said.append(
                f"The threshold of the alarms of switches was set without {', '.join(self.left_out)}: too few candles "
                "to be put in random order."
            )
        if any(not one.low <= self.in_nothing <= one.high for one in self.instruments):
            each = ", ".join(
                f"{one.symbol} {one.alarms:.2f} ({one.low:.2f} to {one.high:.2f})" for one in self.instruments
            )
            said.append(
                "One threshold of the alarms of switches serves all instruments, and they differ in what it raises in "
                f"1,000 candles in random order (95 %, all together): {each}."
            )
        return tuple(said)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain lists, for JSON."""
        names = ("scale", "threshold", "asked", "in_nothing", "low", "high", "rows")
        return {
            "model": self.model.as_dict(),
            **{name: getattr(self, name) for name in names},
            "instruments": [asdict(one) for one in self.instruments],
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The model that `as_dict` wrote down."""
        instruments = tuple(InNothing(**one) for one in content.get("instruments", ()))
        read = {"instruments": instruments, "left_out": tuple(content.get("left_out", ()))}
        return cls(**{**content, **read, "model": GaussianHmm.from_dict(content["model"])})
