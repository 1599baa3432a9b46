import warnings

import numpy as np
import pytest
from tests.fakes.waves import waves

from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.holding_out import conformal_threshold
from triptych.inference.anomaly.reach import SURE, reach
from triptych.inference.anomaly.saving import load_detector, save_detector
from triptych.inference.anomaly.tails import SpotTail


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


def test_the_reach_is_that_of_the_window_that_can_be_brought_least_far():
    stretch = np.arange(30.0, dtype=np.float32)[:, None] / 10

    def first_and_last(windows):
        return windows[:, 0, 0].astype(float) + windows[:, -1, 0]

    # Windows of 4 rows begin at 0 .. 2.6; with the last row, or the last two, at 5 the first of them comes to 0 + 5,
    # with all four at 5 every one of them to 10.
    assert reach(first_and_last, [stretch], memory=4, bound=5.0) == pytest.approx(10.0)
    assert reach(lambda w: w[:, -1, 0] - w[:, 0, 0], [stretch], memory=4, bound=5.0) == pytest.approx(10.0)
    assert reach(lambda w: w[:, 0, 0] * (w[:, 0, 0] < 4.0), [stretch], memory=4, bound=5.0) == pytest.approx(0.0)


def test_a_fitted_tail_is_held_within_what_has_been_seen_or_can_be_reached():
    scores = np.random.default_rng(0).exponential(size=500)
    free, held = (SpotTail(500, scores, usual=0.01, level=0.9, **more) for more in ({}, {"reach": 3.0}))
    assert free.value(1e-6) > scores.max()
    assert held.value(1e-6) == scores.max()
    assert SpotTail(500, scores, usual=0.01, level=0.9, reach=9.0).value(1e-6) == 9.0
    assert held.value(0.05) == free.value(0.05)
