"""The forward filter of a hidden Markov model for evidence that overlaps from row to row.

The model takes observations as independent given their state. Measures over windows that share most of their candles
are not: multiplied in at every candle, they make the filter sure of what it saw once. Two powers mend that. The
likelihood is raised to one, as in tempered posteriors (Grünwald 2012, The safe Bayesian), and what was known before is
forgotten by another, towards the long-run shares, as in Raftery, Kárný and Ettler (2010), Online prediction under model
uncertainty via dynamic model averaging, Technometrics 52(1), section 2.2. Powers of 0 and 1 give the plain filter.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain.compiling import compiled

Array = NDArray[np.float64]
LEAST: Final = 1e-300


def tempered_filter(evidence: Array, transition: Array, prior: Array, forgetting: float) -> Array:
    """Probability of each state given the rows up to and including its own.

    Args:
        evidence: log likelihoods of shape (n, states), already raised to their power; a row may be shifted.
        transition: probability of the column's state after the row's, shape (states, states).
        prior: probability of each state in the long run, shape (states,); a state of 0 is never told.
        forgetting: from 0 (the past counts in full) to 1 (not at all).

    Returns:
        float64 of shape (n, states), rows summing to 1.
    """
    found: Array = np.empty(evidence.shape)
    _run(np.ascontiguousarray(evidence), transition, prior, forgetting, found)
    return found


def tempered_windows(evidence: Array, transition: Array, prior: Array, forgetting: float, memory: int) -> Array:
    """`tempered_filter` of the last `memory` rows alone, at every row; NaN before the first full window."""
    found: Array = np.full(evidence.shape, np.nan)
    if len(evidence) >= memory:
        _run_windows(np.ascontiguousarray(evidence), transition, prior, forgetting, memory, found)
    return found


def log_losses(
    evidence: Array, labels: NDArray[np.int64], transition: Array, prior: Array, forgetting: Array, power: Array
) -> Array:
    """Sum of the log losses of known labels under every pair of powers, shape (forgetting, power).

    Args:
        evidence: log likelihoods of shape (n, states).
        labels: the state of each row, -1 where it is not known, shape (n,).
        transition, prior: as in `tempered_filter`.
        forgetting, power: the values that are tried.
    """
    loss: Array = np.empty((len(forgetting), len(power)))
    found: Array = np.empty(evidence.shape)
    rows = np.flatnonzero(labels >= 0)
    for i, one in enumerate(forgetting.tolist()):
        for j, other in enumerate(power.tolist()):
            _run(np.ascontiguousarray(other * evidence), transition, prior, one, found)
            loss[i, j] = -np.log(np.maximum(found[rows, labels[rows]], LEAST)).sum()
    return loss


@compiled
def _run(evidence: Array, transition: Array, prior: Array, forgetting: float, found: Array) -> None:
    n, states = evidence.shape
    before = prior.copy()
    expected = np.empty(states)
    for t in range(n):
        highest = -np.inf
        for k in range(states):
            chance = 0.0
            if t == 0:
                chance = prior[k]
            else:
                for j in range(states):
                    chance += before[j] * transition[j, k]
            score = (1.0 - forgetting) * np.log(max(chance, LEAST)) + evidence[t, k]
            score += forgetting * np.log(max(prior[k], LEAST))
            expected[k] = score
            if prior[k] > 0.0 and score > highest:
                highest = score
        total = 0.0
        for k in range(states):
            expected[k] = np.exp(expected[k] - highest) if prior[k] > 0.0 else 0.0
            total += expected[k]
        for k in range(states):
            before[k] = expected[k] / total
            found[t, k] = before[k]


@compiled
def _run_windows(
    evidence: Array, transition: Array, prior: Array, forgetting: float, memory: int, found: Array
) -> None:
    window = np.empty((memory, evidence.shape[1]))
    for end in range(memory - 1, len(evidence)):
        _run(evidence[end - memory + 1 : end + 1], transition, prior, forgetting, window)
        found[end] = window[-1]
