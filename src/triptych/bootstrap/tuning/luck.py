"""How much of a search's result may be luck: what its candidates did, side by side over the same history."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
from numpy.typing import NDArray
from optuna.trial import TrialState

from triptych.backtest.bootstrap import effective_observations, optimal_block_length
from triptych.backtest.overfitting import MOST_BLOCKS, Overfitting, probability_of_overfitting_by_score
from triptych.backtest.sharpe import deflated_sharpe, expected_best_sharpe, sharpe_moments
from triptych.bootstrap.tuning.scoring import JUDGED, judged_of, returns_of
from triptych.training.metrics import matthews_correlation

KEYS = ["time", "instrument"]


def _judged_homes(study: optuna.Study, folder: Path) -> list[Path]:
    """Folders of the judged candidates; one that two trials arrived at stands once."""
    names = dict.fromkeys(
        str(t.user_attrs["candidate"]) for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    )
    return [folder / "candidates" / name for name in names]


def among(study: optuna.Study) -> dict[str, list[int]]:
    """Which trials the probabilities of overfitting rank, and which they cannot.

    Returns:
        `ranked`, the judged ones; `given_up`, which were looked at on some folds only and have no whole history.
    """
    trials = study.get_trials(deepcopy=False)
    return {
        "ranked": [t.number for t in trials if t.state == TrialState.COMPLETE],
        "given_up": [t.number for t in trials if t.user_attrs.get("kind") == "given up"],
    }


def return_matrix(study: optuna.Study, folder: Path) -> NDArray[np.float64] | None:
    """Returns a candle of every judged candidate at the times that all have, shape (n_times, n_candidates); or None."""
    homes = _judged_homes(study, folder)
    if len(homes) < 2:
        return None
    joined: pl.DataFrame = returns_of(homes[0]).rename({"return": homes[0].name})
    for home in homes[1:]:
        joined = joined.join(
            returns_of(home).rename({"return": home.name}), on="time", how="inner", maintain_order="left"
        )
    return joined.drop("time").to_numpy()


def skill_overfitting(study: optuna.Study, folder: Path, folds: int) -> Overfitting | None:
    """The probability that the choice by skill is overfitted, by the Matthews correlation that the search chooses by.

    As in the search, a correlation is taken within a fold and averaged by samples over parts; each fold is cut by time
    into as many parts as make about 16 of all. None with fewer than two judged candidates that kept their answers.
    """
    homes = [home for home in _judged_homes(study, folder) if (home / JUDGED).exists()]
    if len(homes) < 2:
        return None
    joined = judged_of(homes[0]).rename({"said": homes[0].name})
    for home in homes[1:]:
        answers = judged_of(home).select(*KEYS, pl.col("said").alias(home.name))
        joined = joined.join(answers, on=KEYS, how="inner", maintain_order="left")
    scores, weights = [], []
    for _, fold in joined.sort("fold", *KEYS).group_by("fold", maintain_order=True):
        for part in _parts(fold, max(1, MOST_BLOCKS // folds)):
            labels = part["label"].to_numpy()
            scores.append([matthews_correlation(labels, part[home.name].to_numpy()) for home in homes])
            weights.append(float(len(part)))
    return probability_of_overfitting_by_score(np.array(scores), np.array(weights))


def _parts(fold: pl.DataFrame, count: int) -> list[pl.DataFrame]:
    """A fold's rows, which lie in order of time, cut into `count` stretches with equally many moments."""
    moments = fold["time"].unique().sort()
    firsts = [moments[i * len(moments) // count] for i in range(count)] if len(moments) >= count else [moments[0]]
    edges = [*(fold["time"].search_sorted(first) for first in dict.fromkeys(firsts)), len(fold)]
    return [fold[start:end] for start, end in pairwise(edges)]


def deflated(study: optuna.Study, folder: Path, number: int) -> dict[str, Any] | None:
    """The deflated Sharpe ratio of the chosen candidate over the folds of the search, for all judged candidates."""
    trials = {t.number: t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    returns = returns_of(folder / "candidates" / trials[number].user_attrs["candidate"])["return"].to_numpy()
    moments = sharpe_moments(returns)
    if moments is None:
        return None
    by_candidate = {t.user_attrs["candidate"]: float(t.user_attrs["sharpe"]) for t in trials.values()}
    count = _tried(study)
    variance = float(np.var(list(by_candidate.values()), ddof=1)) if len(by_candidate) > 1 else None
    observations = effective_observations(returns, round(optimal_block_length(returns)))
    return {
        "sharpe": moments.sharpe,
        "deflated_sharpe": deflated_sharpe(moments, observations, count, variance),
        "expected_best": expected_best_sharpe(count, variance) if variance is not None else None,
        "trials": count,
        "trial_variance": variance,
        "observations": observations,
    }


def _tried(study: optuna.Study) -> int:
    """Candidates whose result was looked at, those that were given up among them."""
    return max(1, len({t.user_attrs["candidate"] for t in study.get_trials(deepcopy=False)
                       if t.user_attrs.get("folds")}))  # fmt: skip
