import warnings

import numpy as np
import pytest
from tests.fakes.waves import waves

from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.holding_out import conformal_threshold
from triptych.inference.anomaly.reach import SURE, reach
from triptych.inference.anomaly.saving import load_detector, save_detector
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.thresholds import create_threshold


def wilder_at_the_end(n=1500, times=6.0):
    """Rows whose last tenth, which sets the threshold, is wilder than all that is learnt from."""
    rows = np.random.default_rng(1).standard_normal((n, 3))
    rows[int(0.9 * n) :] *= times
    return rows


def gross_rows():
    rows = np.random.default_rng(2).standard_normal((600, 3))
    rows[300:340] = 1e6
    return rows


@pytest.fixture(scope="module")
def wild(silent_catch):
    with pytest.warns(UserWarning, match="not even the grossest rows are sure to score more") as caught:
        detector = silent_catch(wilder_at_the_end())
    return detector, str(caught[0].message)


def test_gross_rows_alarm_also_where_the_rows_that_set_the_threshold_are_wild(wild):
    detector, _ = wild
    assert detector.predict(gross_rows())[300:340].any()


def test_the_fit_says_what_the_threshold_would_have_been(wild):
    detector, said = wild
    wanted = conformal_threshold(detector.held_out_scores_, 0.01, detector.effective_)
    above = (detector.held_out_scores_ > detector.threshold_).mean()
    assert detector.threshold_ == SURE * detector.reach_ < wanted
    assert said == (
        f"For 0.01 of the normal rows to alarm the threshold would be {wanted:.3g}, but not even the grossest rows are "
        f"sure to score more than {detector.reach_:.3g}. It is set to {detector.threshold_:.3g}, which {above:.3g} of "
        "the rows that set it exceed: they are wilder than those that were learnt from. Fit on more rows, or on rows "
        "of one kind."
    )


def test_no_smaller_share_puts_the_threshold_out_of_reach_also_after_loading(wild, tmp_path):
    assert wild[0].threshold_at(1e-6) == SURE * wild[0].reach_
    simple = BASELINES["zscore"](CommonConfig(bound=4.0)).fit(waves(600))
    save_detector(tmp_path / "detector", simple)
    loaded = load_detector(tmp_path / "detector")
    assert loaded.threshold_at(1e-12) == simple.threshold_at(1e-12) == pytest.approx(SURE * 16.0)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_the_rows_of_simple_detectors_reach_more_than_their_thresholds(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = BASELINES[name]().fit(waves(1600))
    assert detector.threshold_ < SURE * detector.reach_
    assert detector.predict(np.vstack([waves(100), [[1e6, -1e6, 1e6]] * 40]))[100:].any()


def test_zscore_reaches_the_square_of_the_bound():
    detector = BASELINES["zscore"](CommonConfig(bound=7.0)).fit(waves(600))
    assert detector.reach_ == pytest.approx(49.0)


LEARNT = np.linspace(0.0, 1.0, 101)  # 99 % of them are at most 0.99: four times as far out is 0.5 + 4 * 0.49


def test_the_reach_is_that_of_the_window_and_the_pattern_that_score_least():
    stretch = np.arange(30.0, dtype=np.float32)[:, None] / 10

    def last_less_first(windows):
        first = windows[:, 0, 0].astype(float)
        return np.abs(windows[:, -1, 0]) - first * (first < 4.0)

    # Windows of 4 rows begin at 0 .. 2.6; the last one's own first row takes 2.6 from the 5 of a gross last row.
    assert reach(last_less_first, [stretch], memory=4, bound=5.0, learnt=np.zeros(9)) == pytest.approx(2.4)


def test_directions_that_a_detector_does_not_look_at_are_left_out():
    stretch = np.zeros((30, 2), dtype=np.float32)
    apart = reach(lambda w: np.abs(w[:, -1, 0] - w[:, -1, 1]), [stretch], memory=1, bound=5.0, learnt=LEARNT)
    assert apart == 10.0  # both up, or both down, score 0
    leaning = reach(lambda w: np.abs(w[:, -1, 0] + w[:, -1, 1] / 2), [stretch], memory=1, bound=5.0, learnt=LEARNT)
    assert leaning == 2.5  # one up, one down: 5 - 2.5, still beyond 2.46


def test_where_all_scores_end_alike_the_greatest_counts():
    stretch = np.zeros((30, 2), dtype=np.float32)
    forest = reach(lambda w: np.where(w[:, -1, 0] > 0, 1.3, 1.2), [stretch], memory=1, bound=5.0, learnt=LEARNT)
    assert forest == 1.3


@pytest.mark.parametrize("method", ["rolling", "conformal", "spot"])
def test_no_threshold_exceeds_the_highest_that_was_named_whatever_it_remembers(method):
    scores = np.random.default_rng(0).exponential(size=500)
    config = ThresholdConfig(method=method, alarms_per_day=0.001, rows_per_day=100, window=500)
    free, held = (create_threshold(config, 1.0, scores, highest=one) for one in (np.inf, 2.0))
    assert free.value() > 2.0 == held.value()
    for threshold in (free, held):
        for score in [50.0, 0.5] * 400:
            threshold.learn(score)
    assert free.value() > 2.0 == held.value()


@pytest.mark.parametrize("seed", [0, 1])
def test_of_few_channels_the_one_direction_that_a_detector_looks_at_is_found(seed):
    """Few signs by chance all missed it, and the threshold fell below what a fifth of the normal rows score."""
    noise = np.random.default_rng(seed).standard_normal((6000, 3))
    for i in range(1, len(noise)):
        noise[i] += 0.6 * noise[i - 1]
    rows = noise + 0.7 * noise[:, :1] * [0.0, 0.0, 1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = BASELINES["pca"](seed=0).fit(rows[:2000])
    assert detector.reach_ > 20 * detector.threshold_
    assert detector.predict(rows[2000:]).mean() < 0.03
