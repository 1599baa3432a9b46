"""Regimes of the market as probabilities: a hidden Markov model on measures of the market, filtered and never smoothed.

Its states are anchored to the rules of their names, and its evidence is tempered (`inference/regime_fitting.py`).

A network's soft labels are brought in as likelihoods beside that of the measures (`inference/soft_labels.py`), with the
transitions of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import REGIMES, VOLUME, CandleSeries
from triptych.domain.errors import DataError, NotEnoughData
from triptych.features import Config as FeaturesConfig
from triptych.features import FeaturePipeline
from triptych.features.regimes import AHEAD, known_part
from triptych.inference.regime_fitting import agreement_with_rules, fit_to_rules
from triptych.inference.soft_labels import likelihood
from triptych.models.hidden_markov import GaussianHmm
from triptych.models.state_mixtures import StateMixtures
from triptych.models.tempered_filter import tempered_filter, tempered_windows

MEASURES: Final = ("regime_trend", "regime_volatility", "regime_liquidity")
SELDOM: Final = 1.0 / 3.0
"""Candles at which a regime is the likeliest, as a share of those at which its rule holds, below which that is told."""
LEAST_AGREEMENT: Final = 0.5
"""Share of the candles at which a regime is the likeliest below which its rule follows too seldom for its name."""
WARM_UP: Final = 240
"""Candles before the first measure."""
LEAST_ROWS: Final = 10 * len(REGIMES)
"""Candles with known measures that a filter is fitted on at least."""


def measures(series: CandleSeries) -> NDArray[np.float64]:
    """Trend, volatility and liquidity of every candle, shape (n_candles, 3), NaN before they are known."""
    pipeline = FeaturePipeline(FeaturesConfig(names=MEASURES, normalisation="none"))
    return pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)


def heard_measures(series: CandleSeries) -> NDArray[np.float64]:
    """What the filter hears of every candle, shape (n_candles, 3), see `features/regimes.py`, `known_part`."""
    return known_part(series.values, series.open_time_ms, series.timeframe.milliseconds)


@dataclass(frozen=True, kw_only=True)
class RegimeFilter:
    """Five hidden states with the names of `REGIMES`.

    Attributes:
        model: the hidden Markov model, its states in the order of `REGIMES`.
        densities: of what is heard in each state. None, of an artifact from before there were any: the model's own, of
            the whole window's measures.
        centre, scale: mean and standard deviation of what is heard in the training part, shape (3,).
        forgetting, power: how far the past is forgotten and how much a candle's measures count: they overlap those of
            the candles before, see `models/tempered_filter.py`. 0 and 1 are the plain filter.
        agreement: of the regimes that can be told, how far they are those of their names in the training part, see
            `agreement_with_rules`. Empty: it was never asked.
        left_out: of the regimes that cannot be told, why, in words.
    """

    model: GaussianHmm
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    densities: StateMixtures | None = None
    forgetting: float = 0.0
    power: float = 1.0
    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def fit(cls, histories: Sequence[CandleSeries]) -> Self:
        """Fit on histories that hold the training part only, see `inference/regime_fitting.py`.

        Histories without volume have no low liquidity, and those whose price never moves neither trends nor high
        volatility: such a regime is left out, its probability is 0.
        Raises NotEnoughData when the histories are too short.
        """
        known = []
        for one in histories:
            rows, heard = measures(one), heard_measures(one)
            at = np.isfinite(rows).all(axis=1) & np.isfinite(heard).all(axis=1)
            known.append((heard[at], rows[at]))
        count = sum(len(rows) for rows, _ in known)
        if count < LEAST_ROWS:
            raise NotEnoughData(
                f"{count} candles with known measures are too few for {len(REGIMES)} regimes.",
                remedy=f"Bring at least {LEAST_ROWS} candles after the first 240.",
            )
        fitted = fit_to_rules([one for one in known if len(one[0])])
        left_out = {name: _cause(name, histories) for name in REGIMES if name not in fitted.agreement}
        return cls(left_out=left_out, **{one.name: getattr(fitted, one.name) for one in fields(fitted)})

    def notes(self) -> tuple[str, ...]:
        """What one must know before trading by these regimes, a sentence each: left out, misnamed, seldom told."""
        if not self.agreement:
            return ()
        left_out = [
            f"The regime {name} is left out: {self.left_out.get(name, 'its measure never changes')} in the candles it "
            "was fitted on."
            for name in REGIMES
            if name not in self.agreement
        ]
        misnamed = [
            f"Where {name} is the likeliest regime, its rule holds {AHEAD} candles later for {one['agreement']:.0%} of "
            "the training candles."
            for name, one in self.agreement.items()
            if one["likeliest"] > 0 and one["agreement"] < LEAST_AGREEMENT
        ]
        seldom = [
            f"{name} is the likeliest regime at {one['likeliest']:.1%} of the training candles, and its rule holds at "
            f"{one['rule']:.1%}: what asks for the likeliest regime seldom sees it."
            for name, one in self.agreement.items()
            if one["likeliest"] < SELDOM * one["rule"]
        ]
        return (*left_out, *misnamed, *seldom)

    def agreement_on(self, series: CandleSeries) -> dict[str, dict[str, float]]:
        """`agreement_with_rules` on a history that the filter was not fitted on."""
        told, rows = self.probabilities(series), measures(series)
        known = np.isfinite(rows).all(axis=1)
        absent = np.array([bool(self.agreement) and name not in self.agreement for name in REGIMES])
        return agreement_with_rules([(told[known], rows[known])], absent)

    def observations(self, series: CandleSeries) -> tuple[NDArray[np.float64], int]:
        """What is heard, standardised, from the first candle at which it is known, and that candle's position."""
        rows = self._heard(series)
        first = int(np.isfinite(rows).all(axis=1).argmax())
        return (rows[first:] - self.centre) / self.scale, first

    def evidence(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log likelihood of each regime, raised to its power, from standardised observations; shape (n, 5)."""
        found: NDArray[np.float64] = self.power * (self.densities or self.model).log_density(x)
        return found

    def _heard(self, series: CandleSeries) -> NDArray[np.float64]:
        rows = measures(series)
        return rows if self.densities is None else np.where(np.isfinite(rows), heard_measures(series), np.nan)

    def probabilities(self, series: CandleSeries) -> NDArray[np.float64]:
        """Probability of each regime at the close of each candle, shape (n_candles, 5); NaN before it is known.

        Row t depends on candles up to t. Raises NotEnoughData for a history without a known row.
        """
        x, first = self.observations(series)
        return _after(first, self._filter(self.evidence(x)))

    def _filter(self, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        return tempered_filter(evidence, self.model.transition, self.model.stationary, self.forgetting)

    def recent(
        self, series: CandleSeries, memory: int, beside: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """`probabilities` from the last `memory` measures alone, shape (n_candles, 5).

        Those of a candle are the same whether a year or the last `memory` + 240 candles are given: what a backtest and
        live trading share. NaN before. `beside`, of shape (n_candles, 5), is added to each regime's log likelihood.
        """
        rows = self._heard(series) if len(series) > WARM_UP else np.full((len(series), len(MEASURES)), np.nan)
        known = np.isfinite(rows).all(axis=1)
        if not known.any():
            return np.full((len(series), len(REGIMES)), np.nan)
        first = int(known.argmax())
        evidence = self.evidence((rows[first:] - self.centre) / self.scale)
        if beside is not None:
            evidence = evidence + beside[first:]
        model = self.model
        return _after(first, tempered_windows(evidence, model.transition, model.stationary, self.forgetting, memory))

    def fused(
        self, series: CandleSeries, posterior: NDArray[np.float64], prior: NDArray[np.float64], weight: float = 1.0
    ) -> NDArray[np.float64]:
        """The filter with a network's soft labels beside the measures.

        Args:
            series: the history.
            posterior: the network's probability of each regime at each candle, shape (n_candles, 5); a row of NaN
                where the network does not answer yet says nothing.
            prior: frequencies of the regimes in what the network was taught, shape (5,), above zero.
            weight: power of the network's likelihood; below 1 where it has seen what the measures are made of.

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
        evidence = self.evidence(x) + likelihood(posterior[first:], prior, weight)
        return _after(first, self._filter(evidence))

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain lists, for JSON."""
        return {
            "model": self.model.as_dict(),
            "densities": None if self.densities is None else self.densities.as_dict(),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "forgetting": self.forgetting,
            "power": self.power,
            "agreement": self.agreement,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The filter that `as_dict` wrote down; one written down before there were powers is the plain filter."""
        densities = content.get("densities")
        return cls(
            densities=None if densities is None else StateMixtures.from_dict(densities),
            model=GaussianHmm.from_dict(content["model"]),
            centre=np.array(content["centre"]),
            scale=np.array(content["scale"]),
            forgetting=content.get("forgetting", 0.0),
            power=content.get("power", 1.0),
            agreement=content.get("agreement", {}),
            left_out=content.get("left_out", {}),
        )


def _cause(regime: str, histories: Sequence[CandleSeries]) -> str:
    """Why the measure of a regime is the same at every candle of some histories."""
    if regime == "low_liquidity":
        none = all(not one.values[:, VOLUME].any() for one in histories)
        return "there is no volume" if none else "the volume never changes"
    if all((np.diff(one.close) == 0).all() for one in histories):
        return "the closing price never moves"
    return "its measure never changes"


def _after(first: int, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((np.full((first, rows.shape[1]), np.nan), rows))
