"""What each member adds to the answer of a consensus: sums that are exact, not estimates.

A mean and a vote are sums over members as they stand. The regressions of stacking and of meta-labelling are linear in
their inputs, so the log-odds they answer with are the sum of coefficient times input over all inputs; inputs are
counted from their mean in what the regression learned from, and what it says of that mean stands by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BUY, CLASSES, HOLD, SELL
from triptych.inference.combiner import Combiner, meta_inputs, side_of, stacking_inputs
from triptych.inference.regime import REGIME

AGREEMENT, USUAL = "agreement", "what is usual"
"""Sources that are no member: whether all members agree; what the regression says of mean inputs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contribution:
    """What one input of a consensus's rule adds.

    Attributes:
        source: the member it comes from, or `agreement`, `volatility`, `trend`, `what is usual`.
        reads: what is read, in words.
        value: the input itself.
        adds: to the quantity that is explained.
    """

    source: str
    reads: str
    value: float
    adds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class JointAnswer:
    """How votes became one prediction.

    Attributes:
        method: how they are joined.
        target: class that is explained.
        quantity: what all contributions add up to, in words.
        total: of the contributions.
        probabilities: of sell, hold, buy, float64 of shape (3,).
        allowed: the only direction that may be entered, -1, 0 for neither, 1; 2 for both.
        weights: of the members, in their order, sum 1; empty where the rule has none.
        contributions: by member, then the rest.
    """

    method: str
    target: str
    quantity: str
    total: float
    probabilities: NDArray[np.float64]
    allowed: int
    weights: tuple[float, ...]
    contributions: tuple[Contribution, ...]

    def of(self, source: str) -> float:
        """What all inputs of one source add together."""
        return sum(one.adds for one in self.contributions if one.source == source)

    @property
    def lowered_by(self) -> tuple[Contribution, ...]:
        """The inputs that took something away, the one that took most first."""
        return tuple(sorted((one for one in self.contributions if one.adds < 0), key=lambda one: one.adds))


def explain_votes(
    combiner: Combiner, votes: NDArray[np.floating], regime: NDArray[np.floating], target: str
) -> JointAnswer:
    """What each member adds to a joint answer.

    Args:
        combiner: how votes are joined.
        votes: float array of shape (n_members, 3), finite.
        regime: of shape (2,), finite.
        target: class to explain. Meta-labelling judges the side that one member has chosen, and is explained by that.
    """
    said, state = np.asarray(votes, dtype=np.float64)[None], np.asarray(regime, dtype=np.float64)[None]
    joined = combiner.combine(said, state)
    if combiner.method == "stacking":
        quantity, found = _stacked(combiner, said, state, target, joined.probabilities[0])
    elif combiner.method == "meta":
        target, quantity, found = _judged(combiner, said, state)
    else:
        quantity, found = f"probability of {target}", _weighed(combiner, said[0], target)
    return JointAnswer(
        method=combiner.method,
        target=target,
        quantity=quantity,
        total=sum(one.adds for one in found),
        probabilities=joined.probabilities[0],
        allowed=int(joined.allowed[0]),
        weights=_weights(combiner),
        contributions=found,
    )


def _weights(combiner: Combiner) -> tuple[float, ...]:
    if combiner.method in ("vote", "skill"):
        return combiner.weights
    return (1.0 / len(combiner.members),) * len(combiner.members) if combiner.method == "agreement" else ()


def _weighed(combiner: Combiner, votes: NDArray[np.float64], target: str) -> tuple[Contribution, ...]:
    column = CLASSES.index(target)
    return tuple(
        Contribution(
            source=name, reads=f"probability of {target}", value=float(row[column]), adds=float(w * row[column])
        )
        for name, row, w in zip(combiner.members, votes, _weights(combiner), strict=True)
    )


def _stacked(
    combiner: Combiner,
    votes: NDArray[np.float64],
    regime: NDArray[np.float64],
    target: str,
    probabilities: NDArray[np.float64],
) -> tuple[str, tuple[Contribution, ...]]:
    """The log-odds of a class against the likeliest other one: the difference of their two scores."""
    own = CLASSES.index(target)
    other = max((i for i in range(len(CLASSES)) if i != own), key=lambda i: probabilities[i])
    slopes = np.array(combiner.coefficients[own]) - np.array(combiner.coefficients[other])
    names = [(name, f"log-odds of {side} against hold") for name in combiner.members for side in ("sell", "buy")]
    names += [(AGREEMENT, "all members say sell"), (AGREEMENT, "all members say buy")]
    names += [(name, name) for name in REGIME]
    usual = combiner.intercepts[own] - combiner.intercepts[other]
    found = _linear(combiner, stacking_inputs(votes, regime)[0], slopes, usual, names)
    return f"log-odds of {target} against {CLASSES[other]}", found


def _judged(
    combiner: Combiner, votes: NDArray[np.float64], regime: NDArray[np.float64]
) -> tuple[str, str, tuple[Contribution, ...]]:
    """The log-odds that the side of the member who chooses it is right after costs.

    A member that leans to neither side is judged as if it sold, which is what the combiner does; it allows nothing.
    """
    sides = side_of(votes[:, combiner.side])
    own, other = (BUY, SELL) if sides[0] > 0 else (SELL, BUY)
    target, opposite = CLASSES[own], CLASSES[other]
    names = [(name, f"log-odds of {target} against {opposite}") for name in combiner.members]
    names += [(name, f"log-odds of {target} against {CLASSES[HOLD]}") for name in combiner.members]
    names += [(AGREEMENT, f"all members say {target}"), (REGIME[0], REGIME[0])]
    names += [(REGIME[1], f"{REGIME[1]} in the direction of {target}")]
    inputs = meta_inputs(votes, regime, sides)[0]
    found = _linear(combiner, inputs, np.array(combiner.coefficients[0]), combiner.intercepts[0], names)
    by_member = sorted(found, key=lambda one: [*combiner.members, AGREEMENT, *REGIME, USUAL].index(one.source))
    return target, f"log-odds that {target} is right after costs", tuple(by_member)


def _linear(
    combiner: Combiner,
    inputs: NDArray[np.float64],
    slopes: NDArray[np.float64],
    usual: float,
    names: list[tuple[str, str]],
) -> tuple[Contribution, ...]:
    added = slopes * (inputs - np.array(combiner.mean)) / np.array(combiner.scale)
    found = [
        Contribution(source=source, reads=reads, value=float(value), adds=float(adds))
        for (source, reads), value, adds in zip(names, inputs, added, strict=True)
    ]
    return (*found, Contribution(source=USUAL, reads="mean inputs", value=1.0, adds=float(usual)))
