import numpy as np
import pytest
from tests.fakes.waves import waves

from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.blend import BlendDetector


def a_blend(rows, **settings):
    return BlendDetector(members=[BASELINES["pca"](), BASELINES["zscore"]()], **settings).fit(rows)


def test_rows_far_beyond_the_cap_still_alarm_where_the_history_drifted_away():
    rows = waves(1600)
    drifting = rows + np.where(np.arange(len(rows)) % 400 >= 390, 8.0, 0.0)[:, None]  # the end of each block
    blend = a_blend(drifting, contamination=0.05)
    assert blend.threshold_ > 12.0
    assert blend.predict(np.vstack([rows[:50], 1e6 * np.ones((1, rows.shape[1]))]))[-1] == 1


def test_a_greater_score_of_every_member_is_a_greater_score():
    blend = a_blend(waves(1600), bound=1e9)
    scores = blend.decision_function(waves(8, seed=1) * 10.0 ** np.arange(8)[:, None])
    assert (np.diff(scores[1:]) > 0).all()


def test_up_to_the_bound_a_score_is_the_mean_of_its_members_deviations():
    blend = a_blend(waves(1600))
    assert blend._blend(blend._calibration.centre + [[3.0, 5.0]] * blend._calibration.above)[0] == pytest.approx(4.0)
    far = blend._blend(blend._calibration.centre + [[12.0 * np.e, 12.0]] * blend._calibration.above)
    assert far[0] == pytest.approx((24.0 + 12.0) / 2)
