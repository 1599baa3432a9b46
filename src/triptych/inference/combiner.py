"""From the votes of several models to one prediction: agreement, vote by weight or skill, stacking, meta-labelling.

Pure arithmetic on probabilities; whatever was learned stands in a `Combiner` as plain numbers. How they are learned,
and from what, see `triptych.training.stacking`.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from triptych import domain
from triptych.domain import BUY, CLASSES, HOLD, SELL
from triptych.domain.errors import DataError
from triptych.inference.recent_skill import RecentSkill

Method = Literal["agreement", "vote", "skill", "stacking", "meta"]
LEARNED = ("skill", "stacking", "meta")
"""Methods that are fitted on out-of-fold predictions."""
BOTH = 2
"""In `Combined.allowed`: either direction may be entered."""
_LEAST = 1e-6
"""Probabilities are kept so far from 0 and 1 before their logarithm is taken."""


class Config(domain.Config):
    """How the votes of the members become one prediction."""

    method: Method = Field(
        default="agreement",
        description="agreement: the mean of the members' probabilities; a direction may be entered only where it is "
        "the likeliest class of every member, each at least `confidence` sure. vote: the weighted mean. skill: the "
        "mean, at each close weighted by how right each member was lately, by outcomes known by then. stacking: a "
        "logistic regression on the members' log-odds, their agreement and the regime. meta: the member `side` chooses "
        "between long and short, and a logistic regression on what all say gives the probability that this side is "
        "right after costs. The last three are fitted on out-of-fold predictions only and need a walk-forward split.",
    )
    confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Method agreement: least probability that each member must give the common direction.",
    )
    weights: dict[str, Annotated[float, Field(gt=0, le=1000)]] = Field(
        default={}, description="Method vote: weight of a member by its name; 1 for those not named."
    )
    side: str = Field(default="", description="Method meta: the member that gives the side; empty takes the first.")
    half_life_days: float = Field(
        default=30.0, gt=0, le=36_500, description="Method skill: age in days at which a past answer counts half."
    )
    window: int = Field(
        default=4320,
        ge=16,
        le=100_000,
        description="Method skill: candles of an instrument for which a past answer counts; one is looked at each "
        "`target.horizon` candles of clock time. As many candles, be there nights between them or not, must be known "
        "before the first decision, in a backtest and live. Not with trading days (`features.day.hours`).",
    )
    floor: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Method skill: share of the weights that all members have alike, however wrong one was: 0 lets the "
        "worst lose all, 1 is the plain mean.",
    )
    l2: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="Methods stacking and meta: strength of the L2 penalty on standardised inputs; more is steadier.",
    )
    regime_length: int = Field(
        default=96, ge=8, le=4096, description="Returns, in candles, from which the regime is measured."
    )
    minimum_samples: int = Field(
        default=200, ge=20, description="Fewest out-of-fold samples that a combiner is fitted on."
    )
    cost: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Method meta: what a return must exceed for its side to be right, a fraction of the notional. "
        "Empty takes fee, spread and slippage of entering and leaving by market orders, from [costs].",
    )


class Combined(NamedTuple):
    """Probabilities of shape (n, 3), and by row the only direction that may be entered: -1, 0, 1, or 2 for both."""

    probabilities: NDArray[np.float64]
    allowed: NDArray[np.int64]


class Combiner(BaseModel):
    """A method with everything it has learned: plain numbers, stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method
    members: tuple[str, ...] = Field(description="Names of the members, in the order of their votes.")
    weights: tuple[float, ...] = Field(
        (),
        description="Of a vote, in the order of the members, sum 1; by skill those over all instruments when the "
        "segment began, which hold where nothing is known of an instrument lately.",
    )
    recent: RecentSkill | None = Field(
        None,
        description="What weights by skill are told by at each close; none: `weights` are fixed, as they once were.",
    )
    confidence: float = Field(0.0, description="Of agreement.")
    side: int = Field(0, description="Of meta-labelling: position of the member that gives the side.")
    regime_length: int = Field(description="Returns that the regime is measured from.")
    mean: tuple[float, ...] = Field((), description="Of the inputs of the regression, when it was fitted.")
    scale: tuple[float, ...] = Field((), description="Their standard deviations.")
    coefficients: tuple[tuple[float, ...], ...] = Field(
        (), description="One row a class of stacking; one row for meta-labelling."
    )
    intercepts: tuple[float, ...] = Field((), description="In the same order.")
    samples: int = Field(0, description="Out-of-fold samples it was fitted on.")
    until_ms: int | None = Field(None, description="Last label it was fitted on, UTC milliseconds.")

    def combine(
        self, votes: NDArray[np.float64], regime: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> Combined:
        """Join votes of shape (n, n_members, 3) and regimes of shape (n, 2), all finite.

        `weights` of shape (n, n_members) are those by recent skill at each row; without them `weights` of the combiner.

        Raises DataError when the number of members is another.
        """
        if votes.ndim != 3 or votes.shape[1:] != (len(self.members), len(CLASSES)):
            raise DataError(f"Expected votes of shape (n, {len(self.members)}, 3), was {votes.shape}.")
        if self.method == "agreement":
            return Combined(votes.mean(axis=1), agreed_direction(votes, self.confidence))
        if self.method in ("vote", "skill"):
            by_row = np.tile(self.weights, (len(votes), 1)) if weights is None else weights
            return Combined(np.einsum("nmc,nm->nc", votes, by_row), np.full(len(votes), BOTH))
        if self.method == "stacking":
            scores = self._scores(stacking_inputs(votes, regime))
            grown = np.exp(scores - scores.max(axis=1, keepdims=True))
            return Combined(grown / grown.sum(axis=1, keepdims=True), np.full(len(votes), BOTH))
        return self._judged(votes, regime)

    def _scores(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        standard = (inputs - np.array(self.mean)) / np.array(self.scale)
        scores: NDArray[np.float64] = standard @ np.array(self.coefficients).T + np.array(self.intercepts)
        return scores

    def _judged(self, votes: NDArray[np.float64], regime: NDArray[np.float64]) -> Combined:
        """Meta-labelling: the side's class gets the probability that it is right; the rest keep their proportion."""
        sides = side_of(votes[:, self.side])
        right = 1.0 / (1.0 + np.exp(-self._scores(meta_inputs(votes, regime, sides))[:, 0]))
        rows = np.arange(len(votes))
        own, other = np.where(sides > 0, BUY, SELL), np.where(sides > 0, SELL, BUY)
        rest = np.maximum(votes[:, self.side], _LEAST)
        share = rest[rows, other] / (rest[rows, other] + rest[:, HOLD])
        found = np.zeros((len(votes), len(CLASSES)))
        found[rows, own] = right
        found[rows, other] = (1.0 - right) * share
        found[:, HOLD] = (1.0 - right) * (1.0 - share)
        return Combined(found, sides)


def agreed_direction(votes: NDArray[np.floating], confidence: float = 0.0) -> NDArray[np.int64]:
    """1 where buy is the likeliest class of every member, -1 where sell is, each at least `confidence` sure; else 0.

    `votes` has shape (n, n_members, 3).
    """
    likeliest = votes.argmax(axis=2)
    sure = votes.max(axis=2).min(axis=1) >= confidence
    same = (likeliest == likeliest[:, :1]).all(axis=1) & sure
    return np.where(same, likeliest[:, 0] - HOLD, 0).astype(np.int64)


def side_of(probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """The likelier direction of each row, shape (n, 3): 1 buy, -1 sell, 0 when both are equal."""
    return np.sign(probabilities[:, BUY] - probabilities[:, SELL]).astype(np.int64)


def stacking_inputs(votes: NDArray[np.floating], regime: NDArray[np.floating]) -> NDArray[np.float64]:
    """What stacking regresses on, shape (n, 2 * n_members + 4).

    By member the log-odds of sell and of buy against hold; then whether all agree on sell, and on buy; then the regime.
    """
    logs = np.log(np.clip(np.asarray(votes, dtype=np.float64), _LEAST, 1.0))
    odds = (logs[:, :, [SELL, BUY]] - logs[:, :, [HOLD]]).reshape(len(votes), 2 * votes.shape[1])
    agreed = agreed_direction(votes)
    return np.column_stack([odds, agreed == -1, agreed == 1, regime])


def meta_inputs(
    votes: NDArray[np.floating], regime: NDArray[np.floating], sides: NDArray[np.integer]
) -> NDArray[np.float64]:
    """What meta-labelling regresses on, shape (n, 2 * n_members + 3); everything seen from the side that is judged.

    By member the log-odds of the side against the opposite direction, and against hold; then whether all agree on the
    side; then the regime, its trend counted in the direction of the side.
    """
    logs = np.log(np.clip(np.asarray(votes, dtype=np.float64), _LEAST, 1.0))
    for_side = np.where((sides > 0)[:, None], logs[:, :, BUY], logs[:, :, SELL])
    against = np.where((sides > 0)[:, None], logs[:, :, SELL], logs[:, :, BUY])
    agreed = (agreed_direction(votes) == sides) & (sides != 0)
    return np.column_stack(
        [for_side - against, for_side - logs[:, :, HOLD], agreed, regime[:, 0], regime[:, 1] * sides]
    )
