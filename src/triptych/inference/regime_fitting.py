"""A hidden Markov model whose states keep the meaning of their names: fitted to the rules, on the training part.

Left to itself, Baum and Welch moves a state wherever the likelihood is higher, and its name stays behind. Here each
candle of the training part has the regime that the rules give to the window of which its own is the last but `AHEAD`
candles: what a candle turns out to stand in, a little later. Transitions are counted from them, and the measures of a
state are those of its candles, drawn to the rule by as much as one window weighs (a conjugate prior), so that a regime
that hardly occurs is still the one of its name. What is measured is the part of that later window that is known: the
candles that will have left it say nothing of it. How far the past is forgotten and how much the measures count is then
chosen by the log loss of these labels, see `models/tempered_filter.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import REGIMES
from triptych.features.regimes import AHEAD, ANCHORS, SHORT, rules_hold, single_regime
from triptych.models.hidden_markov import GaussianHmm
from triptych.models.state_mixtures import StateMixtures
from triptych.models.tempered_filter import log_losses, tempered_filter

Array = NDArray[np.float64]
FORGETTING: Final = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
POWERS: Final = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0])
"""What is tried. Beyond one half the past would hardly count, and the transitions with it."""
ROWS: Final = 40_000
"""Last rows of each history by which the two powers are chosen."""
ROWS_OF_A_PART: Final = 10 * SHORT
"""Candles of a regime for each Gaussian of its density: neighbours share most of their measures."""
LEAST_SPREAD: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was fitted; `agreement` as `agreement_with_rules` gives it."""

    model: GaussianHmm
    densities: StateMixtures
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


def fit_to_rules(histories: Sequence[tuple[Array, Array]]) -> Fitted:
    """Fit on histories whose rows are all known and follow one another.

    Args:
        histories: of each the part that is known of the later window's measures, and the measures, shape (n, 3) both.
    """
    heard, rows = (np.concatenate(parts) for parts in zip(*histories, strict=True))
    flat = rows.std(axis=0) < LEAST_SPREAD
    spread = heard.std(axis=0)
    centre, scale = heard.mean(axis=0), np.where(flat | (spread < LEAST_SPREAD), 1.0, spread)
    standard = [(one - centre) / scale for one, _ in histories]
    labels = [later_regimes(one) for _, one in histories]
    absent = np.array([ANCHORS[name][0] in np.flatnonzero(flat) if name in ANCHORS else False for name in REGIMES])
    densities = _densities(np.concatenate(standard), np.concatenate(labels), centre, scale, absent)
    model = _counted(densities, labels, absent)
    evidence = [densities.log_density(x) for x in standard]
    total = sum(
        log_losses(one[-ROWS:], z[-ROWS:], model.transition, model.stationary, FORGETTING, POWERS)
        for one, z in zip(evidence, labels, strict=True)
    )
    best = np.unravel_index(int(np.argmin(total)), np.shape(total))
    forgetting, power = float(FORGETTING[best[0]]), float(POWERS[best[1]])
    told = [tempered_filter(power * one, model.transition, model.stationary, forgetting) for one in evidence]
    return Fitted(
        model=model,
        densities=densities,
        centre=centre,
        scale=scale,
        forgetting=forgetting,
        power=power,
        agreement=agreement_with_rules([(one, part) for one, (_, part) in zip(told, histories, strict=True)], absent),
    )


def agreement_with_rules(
    histories: Sequence[tuple[Array, Array]], absent: NDArray[np.bool_] | None = None
) -> dict[str, dict[str, float]]:
    """How far the regimes that are told are those of their names, `AHEAD` candles later as they were taught.

    Args:
        histories: of each the probabilities that are told, shape (n, 5), and the measures of the same candles, shape
            (n, 3), known in every row.
        absent: regimes that cannot be told, shape (5,).

    Returns:
        For each regime that can be told: `rule`, share of the candles after which its rule holds; `likeliest`, share at
        which it is the likeliest; `agreement`, share of the latter after which its rule holds (0 where it never is).
    """
    holds = np.concatenate([rules_hold(rows)[AHEAD:] for _, rows in histories])
    likeliest = np.concatenate([told[: max(len(told) - AHEAD, 0)].argmax(axis=1) for told, _ in histories])
    found = {}
    for number, name in enumerate(REGIMES):
        if absent is not None and absent[number]:
            continue
        mine = likeliest == number
        found[name] = {
            "rule": float(holds[:, number].mean()) if len(holds) else 0.0,
            "likeliest": float(mine.mean()) if len(holds) else 0.0,
            "agreement": float(holds[mine, number].mean()) if mine.any() else 0.0,
        }
    return found


def _densities(x: Array, z: NDArray[np.int64], centre: Array, scale: Array, absent: NDArray[np.bool_]) -> StateMixtures:
    """Densities by label, with one window's worth of what the rules themselves say."""
    anchors = np.zeros((len(REGIMES), x.shape[1]))
    for number, name in enumerate(REGIMES):
        if name in ANCHORS and not absent[number]:
            column, value = ANCHORS[name]
            # Of a move three quarters are known; volatility and liquidity are drawn to the usual by what is not.
            anchors[number, column] = (value * (SHORT - AHEAD) / SHORT - centre[column]) / scale[column]
    return StateMixtures.fit(x, z, anchors, SHORT, ROWS_OF_A_PART)


def _counted(densities: StateMixtures, labels: Sequence[NDArray[np.int64]], absent: NDArray[np.bool_]) -> GaussianHmm:
    """Moves counted by label, with one window's worth of staying; mean and variance are those of the densities."""
    states = len(REGIMES)
    weight, part = densities.weight[:, :, None], densities.mean
    mean = (weight * part).sum(axis=1)
    inside = np.diagonal(densities.covariance, axis1=2, axis2=3)
    variance = (weight * (inside + (part - mean[:, None, :]) ** 2)).sum(axis=1)
    moves = np.full((states, states), 1.0 / (states - 1)) + (SHORT - 1.0 - 1.0 / (states - 1)) * np.eye(states)
    for one in labels:
        before, after = one[:-1], one[1:]
        known = (before >= 0) & (after >= 0)
        np.add.at(moves, (before[known], after[known]), 1.0)
    moves[:, absent] = 0.0
    moves[absent] = np.where(absent, 0.0, 1.0)
    transition = moves / moves.sum(axis=1, keepdims=True)
    z = np.concatenate(labels)
    seen = np.bincount(z[z >= 0], minlength=states) + np.where(absent, 0.0, 1.0)
    return GaussianHmm(start=seen / seen.sum(), transition=transition, mean=mean, variance=variance)
