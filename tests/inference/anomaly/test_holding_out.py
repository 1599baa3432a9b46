from itertools import pairwise

import numpy as np
import pytest
from tests.fakes.waves import waves

from triptych.domain.errors import NotEnoughData
from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.holding_out import conformal_threshold, effective_number, hold_out, rows_needed

PARTS = ("stop", "calibrate", "threshold")


@pytest.mark.parametrize(("channels", "rows"), [(3, 4000), (16, 4000), (3, 1500), (16, 1500)])
def test_on_fresh_rows_about_as_many_alarm_as_were_asked_for(silent_catch, channels, rows):
    shares = []
    for seed in range(4):
        generator = np.random.default_rng(seed)
        detector = silent_catch(generator.standard_normal((rows, channels)))
        fresh = generator.standard_normal((3000, channels))
        shares.append((detector.decision_function(fresh)[95:] > detector.threshold_).mean())
    assert np.mean(shares) < 0.02  # asked: 0.01; few rows are on the careful side


def test_the_confidence_that_fresh_rows_are_abnormal_is_a_half_in_the_middle(silent_catch):
    generator = np.random.default_rng(3)
    detector = silent_catch(generator.standard_normal((4000, 3)))
    fresh = generator.standard_normal((3000, 3))
    assert 0.35 < np.median(detector.predict_proba(fresh)[95:, 1]) < 0.65


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_the_threshold_of_simple_detectors_holds_too(name):
    shares = []
    for seed in range(5):
        generator = np.random.default_rng(seed)
        detector = BASELINES[name](CommonConfig() if name == "zscore" else None)
        detector.fit(generator.standard_normal((1500, 3)))
        shares.append(detector.predict(generator.standard_normal((3000, 3))).mean())
    assert np.mean(shares) < 0.018


def test_no_row_lies_in_two_parts_and_each_part_follows_the_one_before():
    held = hold_out([(0, 4000)], share=0.4, blocks=4, memory=96, contamination=0.01, parts=PARTS)
    rows = sorted([*held.learn, *(one for part in PARTS for one in held.parts[part])])
    assert rows[0][0] == 0
    assert rows[-1][1] == 4000
    assert all(before[1] == after[0] for before, after in pairwise(rows))
    for k in range(len(held.learn)):
        assert held.learn[k][1] == held.parts["stop"][k][0]
        assert held.parts["stop"][k][1] == held.parts["calibrate"][k][0]
        assert held.parts["calibrate"][k][1] == held.parts["threshold"][k][0]


@pytest.mark.parametrize("memory", [4, 24, 96])
@pytest.mark.parametrize("parts", [PARTS, ("threshold",)])
def test_the_refusal_names_the_rows_that_suffice(memory, parts):
    asked = {"share": 0.4, "memory": memory, "contamination": 0.01, "parts": parts}
    needed = rows_needed(**asked)
    hold_out([(0, needed)], blocks=4, **asked)
    with pytest.raises(NotEnoughData) as error:
        hold_out([(0, needed - 1)], blocks=4, **asked)
    assert str(error.value) == (
        f"{needed - 1} rows, {needed - 1} of them without a break, are too few for a detector that looks back on "
        f"{memory} and lets 0.01 of the normal rows alarm. Bring at least {needed} unbroken rows, choose a shorter "
        "window or a greater contamination."
    )


def test_the_conformal_quantile_by_hand():
    scores = np.arange(1.0, 200.0)  # 199 of them: ceil(200 x 0.95) = 190
    assert conformal_threshold(scores, 0.05, 199.0) == 190.0
    assert conformal_threshold(scores, 0.005, 199.0) == 199.0


def test_where_scores_are_too_few_an_exponential_tail_is_exceeded_as_often_as_asked():
    generator = np.random.default_rng(0)
    shares = [
        np.exp(-conformal_threshold(np.sort(generator.exponential(size=30)), 0.01, 30.0)) for _ in range(400)
    ]  # fmt: skip
    assert 0.006 < np.mean(shares) < 0.015


def test_scores_that_move_slowly_count_as_few():
    generator = np.random.default_rng(0)
    fast = generator.standard_normal(4000)
    slow = np.convolve(fast, np.ones(50), mode="valid")
    assert effective_number([fast], 1) > 3000
    assert 40 < effective_number([slow], 96) < 124


def test_the_fewest_rows_that_a_simple_detector_asks_for_are_enough():
    with pytest.raises(NotEnoughData) as caught:
        BASELINES["zscore"]().fit(waves(164))
    assert "Bring at least 165 unbroken rows" in str(caught.value)
    assert 3.0 < BASELINES["zscore"]().fit(waves(165)).threshold_ < 6.0


def test_of_many_short_recordings_whole_ones_are_held_out():
    machines = [(470 * n, 470 * (n + 1)) for n in range(60)]
    found = hold_out(machines, share=0.4, blocks=4, memory=96, contamination=0.01, parts=PARTS)
    held = [one for part in PARTS for one in found.parts[part]]
    assert sorted([*found.learn, *held]) == machines  # each for one thing, and whole
    assert len(held) == 24
    assert [len(found.parts[part]) for part in PARTS] == [4, 9, 11]  # .15, .4 and .45 of them
    assert all(found.windows(part, 96) >= 99 for part in PARTS)
    with pytest.raises(NotEnoughData, match=r"1410 rows, 470 of them without a break, are too few"):
        hold_out(machines[:3], share=0.4, blocks=4, memory=96, contamination=0.01, parts=PARTS)


def test_a_fleet_of_short_recordings_can_be_fitted(silent_catch):
    rows = np.random.default_rng(3).standard_normal((30 * 300, 3))
    detector = silent_catch(rows, entity=np.repeat(np.arange(30), 300))
    fresh = np.random.default_rng(4).standard_normal((4000, 3))
    assert 0.0 < detector.predict(fresh)[95:].mean() < 0.03
