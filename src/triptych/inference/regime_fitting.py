"""A hidden Markov model whose states keep the meaning of their names: fitted to the rules, on the training part.

Left to itself, Baum and Welch moves a state wherever the likelihood is higher, and its name stays behind. Here each
candle of the training part has the regime that the rules give to the window of which its own is the last but `AHEAD`
candles: what a candle turns out to stand in, a little later. Transitions are counted from them, and the measures of a
state are those of its candles, drawn to the rule by as much as one window weighs (a conjugate prior), so that a regime
that hardly occurs is still the one of its name. How far the past is forgotten and how much the measures count is then
chosen by the log loss of these labels, see `models/tempered_filter.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import REGIMES
from triptych.features.regimes import ANCHORS, SHORT, rules_hold, single_regime
from triptych.models.hidden_markov import LEAST_VARIANCE, GaussianHmm
from triptych.models.tempered_filter import log_losses, tempered_filter

Array = NDArray[np.float64]
AHEAD: Final = SHORT // 4
"""Candles of the rules' window that are still to come when a regime is told."""
FORGETTING: Final = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
POWERS: Final = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0])
"""What is tried. Beyond one half the past would hardly count, and the transitions with it."""
ROWS: Final = 40_000
"""Last rows of each history by which the two powers are chosen."""
LEAST_SPREAD: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was fitted; `agreement` as `agreement_with_rules` gives it."""

    model: GaussianHmm
    centre: Array
    scale: Array
    forgetting: float
    power: float
    agreement: dict[str, dict[str, float]]


def later_regimes(rows: Array) -> NDArray[np.int64]:
    """The one regime that the rules give `AHEAD` candles later, shape (n,); -1 where it is not known. Looks ahead."""
    found = np.full(len(rows), -1, dtype=np.int64)
    found[: max(len(rows) - AHEAD, 0)] = single_regime(rows)[AHEAD:]
    return found


def fit_to_rules(histories: Sequence[Array]) -> Fitted:
    """Fit on measures of shape (n, 3) each, whose rows are all known and follow one another."""
    rows = np.concatenate(histories)
    flat = rows.std(axis=0) < LEAST_SPREAD
    centre, scale = rows.mean(axis=0), np.where(flat, 1.0, rows.std(axis=0))
    standard = [(one - centre) / scale for one in histories]
    labels = [later_regimes(one) for one in histories]
    absent = [ANCHORS[name][0] in np.flatnonzero(flat) if name in ANCHORS else False for name in REGIMES]
    model = _counted(standard, labels, centre, scale, np.array(absent))
    total = sum(
        log_losses(model.log_density(x[-ROWS:]), z[-ROWS:], model.transition, model.stationary, FORGETTING, POWERS)
        for x, z in zip(standard, labels, strict=True)
    )
    best = np.unravel_index(int(np.argmin(total)), np.shape(total))
    forgetting, power = float(FORGETTING[best[0]]), float(POWERS[best[1]])
    told = np.concatenate(
        [
            tempered_filter(power * model.log_density(x), model.transition, model.stationary, forgetting)
            for x in standard
        ]
    )
    return Fitted(
        model=model,
        centre=centre,
        scale=scale,
        forgetting=forgetting,
        power=power,
        agreement=agreement_with_rules(told, rows, np.array(absent)),
    )


def agreement_with_rules(
    told: Array, rows: Array, absent: NDArray[np.bool_] | None = None
) -> dict[str, dict[str, float]]:
    """How far the regimes that are told are those of their names.

    Args:
        told: probabilities of shape (n, 5), known in every row.
        rows: measures of the same candles, shape (n, 3).
        absent: regimes that cannot be told, shape (5,).

    Returns:
        For each regime that can be told: `rule`, share of the candles at which its rule holds; `likeliest`, share at
        which it is the likeliest; `agreement`, share of the latter at which its rule holds (0 where it never is).
    """
    holds, likeliest = rules_hold(rows), told.argmax(axis=1)
    found = {}
    for number, name in enumerate(REGIMES):
        if absent is not None and absent[number]:
            continue
        mine = likeliest == number
        found[name] = {
            "rule": float(holds[:, number].mean()),
            "likeliest": float(mine.mean()),
            "agreement": float(holds[mine, number].mean()) if mine.any() else 0.0,
        }
    return found


def _counted(
    standard: Sequence[Array],
    labels: Sequence[NDArray[np.int64]],
    centre: Array,
    scale: Array,
    absent: NDArray[np.bool_],
) -> GaussianHmm:
    """Moves counted and measures averaged by label, with one window's worth of what the rules themselves say."""
    states = len(REGIMES)
    x, z = np.concatenate(standard), np.concatenate(labels)
    pooled = np.maximum(x[z >= 0].var(axis=0), LEAST_VARIANCE) if (z >= 0).any() else np.ones(x.shape[1])
    mean, variance = np.empty((states, x.shape[1])), np.empty((states, x.shape[1]))
    for number, name in enumerate(REGIMES):
        anchor = np.zeros(x.shape[1])
        if name in ANCHORS and not absent[number]:
            column, value = ANCHORS[name]
            anchor[column] = (value - centre[column]) / scale[column]
        mine = x[z == number]
        mean[number] = (mine.sum(axis=0) + SHORT * anchor) / (len(mine) + SHORT)
        variance[number] = (((mine - mean[number]) ** 2).sum(axis=0) + SHORT * pooled) / (len(mine) + SHORT)
    moves = np.full((states, states), 1.0 / (states - 1)) + (SHORT - 1.0 - 1.0 / (states - 1)) * np.eye(states)
    for one in labels:
        before, after = one[:-1], one[1:]
        known = (before >= 0) & (after >= 0)
        np.add.at(moves, (before[known], after[known]), 1.0)
    moves[:, absent] = 0.0
    moves[absent] = np.where(absent, 0.0, 1.0)
    transition = moves / moves.sum(axis=1, keepdims=True)
    seen = np.bincount(z[z >= 0], minlength=states) + np.where(absent, 0.0, 1.0)
    return GaussianHmm(start=seen / seen.sum(), transition=transition, mean=mean, variance=variance)
