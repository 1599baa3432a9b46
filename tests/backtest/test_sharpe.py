from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from triptych.backtest.sharpe import (
    SharpeMoments,
    deflated_sharpe,
    expected_best_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)

# the worked example of Bailey & López de Prado (2014): 5 years of days, annual Sharpe ratio 2.5, annual variance
# of the trials' ratios 1/2
DAILY = 2.5 / math.sqrt(250)
EXAMPLE = SharpeMoments(sharpe=DAILY, skewness=-3.0, kurtosis=10.0)


def test_the_expected_best_of_a_hundred_trials_is_that_of_the_paper():
    assert expected_best_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_sharpe_ratio_is_that_of_the_paper(trials, expected):
    assert deflated_sharpe(EXAMPLE, 1250, trials, 0.5 / 250) == pytest.approx(expected, abs=5e-5)


def test_the_minimum_track_record_is_that_of_the_paper():
    # 2012: annual ratio 2 against 1 on normal daily returns needs 2.73 years
    moments = SharpeMoments(sharpe=2 / math.sqrt(250), skewness=0.0, kurtosis=3.0)
    candles = minimum_track_record(moments, 0.95, 1 / math.sqrt(250))
    assert candles / 250 == pytest.approx(2.73, abs=0.005)


def test_after_the_minimum_track_record_the_probability_is_reached():
    candles = minimum_track_record(EXAMPLE)
    assert probabilistic_sharpe(EXAMPLE, candles) == pytest.approx(0.95)


def test_a_ratio_of_zero_never_has_a_track_record():
    assert minimum_track_record(SharpeMoments(sharpe=0.0, skewness=0.0, kurtosis=3.0)) is None


def test_one_trial_deflates_nothing():
    assert expected_best_sharpe(1, 1.0) == 0.0
    assert deflated_sharpe(EXAMPLE, 100, 1) == probabilistic_sharpe(EXAMPLE, 100)


def test_without_known_trials_their_ratios_scatter_as_those_of_luck_do():
    assert deflated_sharpe(EXAMPLE, 101, 20) == deflated_sharpe(EXAMPLE, 101, 20, 0.01)


def test_more_trials_never_make_a_result_more_credible():
    values = [deflated_sharpe(EXAMPLE, 500, trials) for trials in (1, 2, 3, 5, 10, 100, 10_000)]
    assert values == sorted(values, reverse=True)


def test_a_single_observation_says_nothing():
    assert probabilistic_sharpe(EXAMPLE, 1.0) == 0.5
    assert deflated_sharpe(EXAMPLE, 1.0, 10) == 0.5


def test_negative_skewness_and_fat_tails_lower_the_probability():
    normal = SharpeMoments(sharpe=DAILY, skewness=0.0, kurtosis=3.0)
    assert probabilistic_sharpe(EXAMPLE, 100) < probabilistic_sharpe(normal, 100)


def test_moments_of_four_returns_equal_those_worked_by_hand():
    moments = sharpe_moments(np.array([0.01, -0.01, 0.03, 0.01]))
    # mean 0.01, deviations 0, -0.02, 0.02, 0
    assert moments.sharpe == pytest.approx(0.01 / math.sqrt(0.0008 / 3))
    assert moments.skewness == pytest.approx(0.0)
    assert moments.kurtosis == pytest.approx(2.0)


def test_a_flat_series_has_no_moments():
    assert sharpe_moments(np.zeros(10)) is None
    assert sharpe_moments(np.array([0.1, 0.2])) is None


def test_the_probability_is_the_share_of_samples_below_the_estimate():
    # fat-tailed returns without an edge: a calibrated probability is uniform
    generator = np.random.default_rng(5)
    found = []
    for _ in range(400):
        moments = sharpe_moments(generator.standard_t(6, size=300))
        found.append(probabilistic_sharpe(moments, 300))
    assert stats.kstest(found, "uniform").pvalue > 0.05
