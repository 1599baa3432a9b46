import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.training.anomaly.affiliation import affiliation, affiliation_f1
from triptych.training.anomaly.metrics import judge, vus_pr
from triptych.training.anomaly.pieces import Pieces
from triptych.training.anomaly.runs import runs


def truth(n=200, events=((50, 60), (120, 130))):
    rows = np.zeros(n, dtype=bool)
    for start, stop in events:
        rows[start:stop] = True
    return rows


def test_perfect_scores_have_perfect_figures():
    y = truth()
    found = judge(y, y.astype(float), y, buffer=0)
    assert (found.auc_roc, found.vus_pr, found.affiliation_f1, found.recall) == (1.0, 1.0, 1.0, 1.0)
    assert (found.delay, found.alarms_per_day) == (0.0, 0.0)


def test_delay_recall_and_false_alarms_are_counted_by_runs():
    y = truth()
    alarms = np.zeros(200, dtype=bool)
    alarms[[10, 11, 12, 30, 55, 132]] = True
    found = judge(y, alarms.astype(float), alarms, slack=5, rows_per_day=60)
    assert found.recall == 1.0
    assert found.delay == np.median([5, 12])
    assert found.alarms_per_day == 3 / (180 / 60)
    assert judge(y, alarms.astype(float), alarms, slack=0).recall == 0.5


def test_without_a_buffer_the_volume_is_average_precision_times_events_found():
    from sklearn.metrics import average_precision_score

    generator = np.random.default_rng(0)
    y = truth(events=((50, 60),))
    scores = generator.standard_normal(200) + 2 * y
    # One event: it is found with the first of its rows, from where on recall is that of average precision.
    assert vus_pr(y, scores, buffer=0) == pytest.approx(average_precision_score(y, scores))


def test_a_buffer_forgives_a_small_shift():
    y = truth()
    shifted = np.roll(y, 4).astype(float)
    assert vus_pr(y, shifted, buffer=20) > vus_pr(y, shifted, buffer=0) + 0.1


def test_random_alarms_have_an_affiliation_of_about_a_half():
    generator = np.random.default_rng(0)
    y = truth(4000, ((1000, 1005), (3000, 3005)))
    f1 = [affiliation_f1(y, generator.permutation(4000) < 3) for _ in range(200)]
    assert 0.3 < np.mean(f1) < 0.62
    assert affiliation_f1(y, np.zeros(4000, dtype=bool)) == 0.0


def test_affiliation_falls_with_the_distance():
    y = truth(events=((100, 101),))
    alarms = [np.arange(200) == at for at in (100, 110, 190)]
    values = [affiliation_f1(y, a) for a in alarms]
    assert values[0] == 1.0
    assert values[0] > values[1] > values[2]
    # The alarm's positions are 9 to 10 rows behind the event: 1 + 2 * 9.5 of 200 rows are closer, on average. From the
    # event's positions it is 9 to 10 rows to the alarm.
    assert affiliation(y, alarms[1]) == pytest.approx((1 - 20 / 200, 1 - 19 / 200))
    assert values[1] == pytest.approx(2 * 0.9 * 0.905 / (0.9 + 0.905))


def test_rows_that_are_not_counted_are_as_if_they_had_never_been():
    generator = np.random.default_rng(0)
    y, scores = truth(), generator.standard_normal(200)
    counted = np.ones(200, dtype=bool)
    counted[150:160] = False  # farther from the events than any buffer reaches
    wild = scores.copy()
    wild[150:160] = 9.0
    assert vus_pr(y, wild, buffer=20, pieces=Pieces(known=counted)) == pytest.approx(
        vus_pr(np.delete(y, np.s_[150:160]), np.delete(scores, np.s_[150:160]), buffer=20)
    )


def test_runs_are_half_open():
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]


def test_one_kind_of_rows_cannot_be_judged():
    with pytest.raises(DataError) as error:
        judge(np.zeros(5), np.zeros(5), np.zeros(5, dtype=bool))
    assert str(error.value) == ("Metrics need rows of both kinds: anomalous and normal. Check the column of labels.")
