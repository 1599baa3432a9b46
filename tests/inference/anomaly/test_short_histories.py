"""Thresholds that few rows set: they hold on average, and gross rows still exceed them."""

import numpy as np
import pytest

from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.holding_out import conformal_threshold
from triptych.inference.anomaly.saving import load_detector, save_detector


def following(n, seed):
    """Rows that follow one another and have a common part, (n, 3)."""
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((n, 3))
    for t in range(1, n):
        rows[t] += 0.6 * rows[t - 1]
    return rows + generator.standard_normal((n, 1))


@pytest.fixture(scope="module")
def judged(silent_catch):
    """Of each of four histories of 2,500 rows: the share of fresh rows that alarm, and whether gross ones do."""
    found = []
    for seed in range(300, 304):
        detector = silent_catch(following(2500, seed))
        fresh = following(1200, 1000 + seed)
        gross = fresh.copy()
        gross[500, 0] += 12.0  # seven deviations
        gross[700] += 12.0
        gross[900:940, 1] = gross[900, 1]
        quiet, alarms = (detector.predict(rows) for rows in (fresh, gross))
        found.append((quiet[95:].mean(), alarms[500:504].any(), alarms[700:704].any(), alarms[900:940].any()))
    return np.array(found, dtype=float)


def test_no_more_normal_rows_alarm_than_were_asked_for(judged):
    assert judged[:, 0].mean() < 0.013  # asked: 0.01


def test_a_spike_and_a_frozen_feed_are_found_behind_2500_rows(judged):
    assert judged[:, 1].sum() >= 3
    assert judged[:, 2].sum() == 4
    assert judged[:, 3].sum() == 4


def test_rows_that_were_learnt_from_have_their_say_where_few_scores_set_the_threshold():
    held, learnt = np.arange(1.0, 31.0), np.sort(np.random.default_rng(0).uniform(0.0, 31.0, size=2000))
    alone = conformal_threshold(held, 0.01, 5.0)
    together = conformal_threshold(held, 0.01, 5.0, learnt=learnt)
    assert alone > 60.0
    assert 31.0 < together < 0.8 * alone


def test_they_have_none_where_enough_scores_set_it_or_they_are_too_few_themselves():
    held, learnt = np.arange(1.0, 31.0), np.linspace(0.0, 31.0, 2000)
    assert conformal_threshold(held, 0.01, 20.0, learnt=learnt) == conformal_threshold(held, 0.01, 20.0)
    assert conformal_threshold(held, 0.01, 5.0, learnt=learnt[:900]) == conformal_threshold(held, 0.01, 5.0)
    assert conformal_threshold(held, 0.1, 30.0, learnt=learnt) == 28.0


def test_where_held_out_rows_are_farther_out_so_is_the_threshold():
    held, learnt = np.arange(1.0, 31.0), np.linspace(0.0, 31.0, 2000)
    one, other = (conformal_threshold(times * held, 0.01, 5.0, learnt=learnt) for times in (1.0, 2.0))
    assert other > 1.5 * one


def test_a_saved_detector_moves_its_threshold_as_the_fitted_one_does(tmp_path):
    detector = BASELINES["kmeans"]().fit(following(1500, 1))
    detector.effective_ = 6.0  # as of a longer window
    save_detector(tmp_path / "detector", detector)
    loaded = load_detector(tmp_path / "detector")
    assert detector.threshold_at(0.01) != conformal_threshold(detector.held_out_scores_, 0.01, 6.0)
    for share in (0.3, 0.05, 0.01):
        assert loaded.threshold_at(share) == detector.threshold_at(share)
