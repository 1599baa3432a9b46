"""Regimes of the market as probabilities: a hidden Markov model on measures of the market, filtered and never smoothed.

A network's soft labels are brought in as likelihoods: its posterior divided by the frequencies of the labels it was
taught with (Bourlard and Morgan 1994, Connectionist Speech Recognition, chapter 7), with the transitions of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import REGIMES, CandleSeries
from triptych.domain.errors import DataError, NotEnoughData
from triptych.features import Config as FeaturesConfig
from triptych.features import FeaturePipeline
from triptych.models.hidden_markov import Config as HmmConfig
from triptych.models.hidden_markov import GaussianHmm

MEASURES: Final = ("regime_trend", "regime_volatility", "regime_liquidity")
TREND, VOLATILITY, LIQUIDITY = range(3)
GUESS: Final = (
    ("high_volatility", VOLATILITY, 1.0, 0.15),
    ("low_liquidity", LIQUIDITY, -1.0, 0.15),
    ("bull", TREND, 1.0, 0.2),
    ("bear", TREND, -1.0, 0.2),
)
"""Where fitting begins: each regime's measure, its direction, and the share of the candles with the most of it."""
LEAST_PROBABILITY = 1e-6
WARM_UP: Final = 240
"""Candles before the first measure."""


def measures(series: CandleSeries) -> NDArray[np.float64]:
    """Trend, volatility and liquidity of every candle, shape (n_candles, 3), NaN before they are known."""
    pipeline = FeaturePipeline(FeaturesConfig(names=MEASURES, normalisation="none"))
    return pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)


@dataclass(frozen=True, kw_only=True)
class RegimeFilter:
    """Five hidden states with the names of `REGIMES`.

    Attributes:
        model: the hidden Markov model, its states in the order of `REGIMES`.
        centre, scale: mean and standard deviation of the measures in the training part, shape (3,).
    """

    model: GaussianHmm
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, histories: Sequence[CandleSeries], *, iterations: int = 60) -> Self:
        """Fit on histories that hold the training part only.

        Fitting begins with the wildest candles as `high_volatility`, of the others the thinnest as `low_liquidity`, of
        the rest those with the highest trend as `bull` and with the lowest as `bear`; so each state has its name.
        Raises NotEnoughData when the histories are too short.
        """
        known = [rows[np.isfinite(rows).all(axis=1)] for rows in (measures(one) for one in histories)]
        x = np.concatenate(known) if known else np.zeros((0, len(MEASURES)))
        if len(x) < 10 * len(REGIMES):
            raise NotEnoughData(
                f"{len(x)} candles with known measures are too few for {len(REGIMES)} regimes.",
                remedy=f"Bring at least {10 * len(REGIMES)} candles after the first 240.",
            )
        centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        standard = (x - centre) / scale
        config = HmmConfig(states=len(REGIMES), iterations=iterations)
        model = GaussianHmm.fit(standard, config, begin=_first_guess(standard))
        return cls(model=model, centre=centre, scale=scale)

    def observations(self, series: CandleSeries) -> tuple[NDArray[np.float64], int]:
        """Standardised measures from the first candle at which they are known, and that candle's position."""
        rows = measures(series)
        first = int(np.isfinite(rows).all(axis=1).argmax())
        return (rows[first:] - self.centre) / self.scale, first

    def probabilities(self, series: CandleSeries) -> NDArray[np.float64]:
        """Probability of each regime at the close of each candle, shape (n_candles, 5); NaN before it is known.

        Row t depends on candles up to t. Raises NotEnoughData for a history without a known row.
        """
        x, first = self.observations(series)
        return _after(first, self.model.filter(x))

    def recent(self, series: CandleSeries, memory: int) -> NDArray[np.float64]:
        """`probabilities` from the last `memory` measures alone, shape (n_candles, 5).

        Those of a candle are the same whether a year or the last `memory` + 240 candles are given: what a backtest and
        live trading share. NaN before.
        """
        rows = measures(series) if len(series) > WARM_UP else np.full((len(series), len(MEASURES)), np.nan)
        known = np.isfinite(rows).all(axis=1)
        if not known.any():
            return np.full((len(series), len(REGIMES)), np.nan)
        first = int(known.argmax())
        return _after(first, self.model.filter_windows((rows[first:] - self.centre) / self.scale, memory))

    def fused(
        self, series: CandleSeries, posterior: NDArray[np.float64], prior: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The filter with a network's soft labels beside the measures.

        Args:
            series: the history.
            posterior: the network's probability of each regime at each candle, shape (n_candles, 5); a row of NaN
                where the network does not answer yet says nothing.
            prior: frequencies of the regimes in what the network was taught, shape (5,), above zero.

        Returns:
            Probabilities as `probabilities` gives them.
        """
        if (
            posterior.shape != (len(series), len(REGIMES))
            or np.shape(prior) != (len(REGIMES),)
            or not (prior > 0).all()
        ):
            raise DataError(
                f"Expected soft labels of shape ({len(series)}, 5) and 5 frequencies above zero, was "
                f"{posterior.shape} and {np.asarray(prior).tolist()}.",
                remedy="Give one row a candle and one column a regime.",
            )
        x, first = self.observations(series)
        said = np.log(np.maximum(posterior[first:], LEAST_PROBABILITY) / prior)
        density = self.model.log_density(x) + np.where(np.isfinite(said), said, 0.0)
        return _after(first, self.model.filter_with(density))

    def network_only(self, posterior: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
        """The filter on soft labels alone, with the model's transitions, shape (n, 5)."""
        return self.model.filter_with(np.log(np.maximum(posterior, LEAST_PROBABILITY) / prior))

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain lists, for JSON."""
        return {"model": self.model.as_dict(), "centre": self.centre.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The filter that `as_dict` wrote down."""
        return cls(
            model=GaussianHmm.from_dict(content["model"]),
            centre=np.array(content["centre"]),
            scale=np.array(content["scale"]),
        )


def _first_guess(x: NDArray[np.float64]) -> NDArray[np.int64]:
    """A regime for every row: the wildest and the thinnest rows, then the trends, each a share of what is left."""
    belongs = np.full(len(x), REGIMES.index("sideways"))
    left = np.arange(len(x))
    for name, column, sign, share in GUESS:
        order = np.argsort(-sign * x[left, column], kind="stable")
        taken = left[order[: max(int(share * len(x)), 1)]]
        belongs[taken] = REGIMES.index(name)
        left = np.setdiff1d(left, taken)
    return belongs


def _after(first: int, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((np.full((first, rows.shape[1]), np.nan), rows))
