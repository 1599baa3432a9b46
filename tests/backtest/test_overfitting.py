from itertools import combinations
from statistics import fmean, pstdev

import numpy as np
import pytest

from triptych.backtest.overfitting import probability_of_overfitting, probability_of_overfitting_by_score

GOOD, BAD = [0.03, 0.01, 0.02, 0.02], [-0.03, -0.01, -0.02, -0.02]
"""Sharpe ratios of 2.83 and -2.83 (mean 0.02, standard deviation 0.00707)."""


def test_who_is_good_on_one_half_and_bad_on_the_other_is_overfitted():
    returns = np.array([GOOD + BAD, BAD + GOOD]).T
    found = probability_of_overfitting(returns)
    # Two blocks, so two halves; on each the chosen one is the worse of two on the other: rank 1 of 3, logit below 0.
    assert (found.probability, found.probability_of_loss, found.halves, found.blocks) == (1.0, 1.0, 2, 2)
    assert found.slope is None  # both were chosen with the same ratio


def test_who_is_the_best_everywhere_is_not():
    returns = np.array([GOOD + GOOD, BAD + GOOD, BAD + BAD]).T
    found = probability_of_overfitting(returns)
    # First half: only the first strategy is good. Second half: the first two tie, the first is taken.
    assert found.probability == 0.0
    assert found.probability_of_loss == 0.0


def test_the_middle_one_of_three_counts_as_overfitted():
    middle = [0.02, -0.01, 0.02, 0.01]
    returns = np.array([GOOD + middle, BAD + GOOD, BAD + BAD]).T
    found = probability_of_overfitting(returns)
    # Chosen on the first half: strategy 0, whose rank on the other is 2 of 4: logit 0. On the second half: strategy 1,
    # which ties with the third on the first: ranks (0 + 1.5) / 4.
    assert found.probability == 1.0
    assert found.probability_of_loss == 0.5


def naive(returns: np.ndarray, blocks: int) -> tuple[float, float]:
    """The definition, one half after the other."""
    parts = np.split(returns, blocks)

    def sharpes(chosen):
        rows = np.concatenate([parts[i] for i in chosen])
        return [fmean(column) / pstdev(column) for column in rows.T.tolist()]

    overfitted, losses, halves = 0, 0, 0
    for inside in combinations(range(blocks), blocks // 2):
        outside = [i for i in range(blocks) if i not in inside]
        ours, theirs = sharpes(inside), sharpes(outside)
        best = ours.index(max(ours))
        rank = 1 + sum(other < theirs[best] for other in theirs)
        overfitted += np.log(rank / (len(theirs) + 1 - rank)) <= 1e-12
        losses += theirs[best] < 0
        halves += 1
    return overfitted / halves, losses / halves


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_definition(seed):
    returns = np.random.default_rng(seed).normal(0.001, 0.01, (48, 5))
    found = probability_of_overfitting(returns, blocks=6)
    assert found.halves == 20
    assert (found.probability, found.probability_of_loss) == pytest.approx(naive(returns, 6))


def test_of_noise_about_every_second_choice_is_overfitted_and_of_an_edge_none():
    draws = np.random.default_rng(1).normal(0.0, 0.01, (4, 640, 10))
    assert np.mean([probability_of_overfitting(one).probability for one in draws]) == pytest.approx(0.5, abs=0.2)
    draws[0, :, 3] += 0.01
    found = probability_of_overfitting(draws[0])
    assert (found.probability, found.blocks, found.halves) == (0.0, 16, 12_870)


def test_one_strategy_or_a_handful_of_returns_says_nothing():
    assert probability_of_overfitting(np.ones((100, 1))) is None
    assert probability_of_overfitting(np.ones((7, 3))) is None


def test_strategies_of_which_fewer_than_two_ever_traded_have_no_probability():
    idle = np.zeros((2000, 4))
    assert probability_of_overfitting(idle) is None
    idle[:, 2] = np.random.default_rng(0).normal(size=2000)
    assert probability_of_overfitting(idle) is None


def test_a_choice_by_score_is_ranked_by_the_weighted_mean_of_each_half():
    # Four parts; the first strategy has skill in the heavy first part only, the second a little everywhere.
    scores = np.array([[0.9, 0.1], [-0.1, 0.1], [-0.1, 0.1], [-0.1, 0.1]])
    found = probability_of_overfitting_by_score(scores, np.array([3.0, 1.0, 1.0, 1.0]))
    # Halves with part 0 (3 of 6) choose the first, which is the worse of two on the rest; the others choose the second,
    # which has 0.1 there against at least (2.7 - 0.1) / 4: worse as well.
    assert (found.probability, found.halves, found.blocks, found.rows, found.strategies) == (1.0, 6, 4, 4, 2)
    assert found.probability_of_loss == 0.5  # the first has -0.1 on the rest, the second 0.1


def test_a_skill_that_lasts_is_not_overfitted():
    scores = np.array([[0.2, 0.1, 0.0]] * 6)
    found = probability_of_overfitting_by_score(scores, np.ones(6))
    assert (found.probability, found.probability_of_loss, found.slope) == (0.0, 0.0, None)


def test_many_parts_are_joined_and_an_odd_one_is_left_out():
    rng = np.random.default_rng(1)
    many = probability_of_overfitting_by_score(rng.normal(size=(41, 3)), np.ones(41))
    assert (many.blocks, many.halves, many.rows) == (16, 12_870, 41)
    odd = probability_of_overfitting_by_score(rng.normal(size=(5, 3)), np.ones(5))
    assert (odd.blocks, odd.rows) == (4, 4)
    assert probability_of_overfitting_by_score(np.ones((1, 3)), np.ones(1)) is None
    assert probability_of_overfitting_by_score(np.ones((8, 1)), np.ones(8)) is None


def test_among_scores_without_skill_the_choice_says_nothing():
    found = [
        probability_of_overfitting_by_score(np.random.default_rng(seed).normal(size=(16, 20)), np.ones(16)).probability
        for seed in range(8)
    ]
    assert 0.3 < np.mean(found) < 0.75
