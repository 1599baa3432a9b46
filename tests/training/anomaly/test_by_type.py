import numpy as np
import pytest

from triptych.training.anomaly.by_type import by_type


def test_each_type_is_judged_against_normal_rows():
    scores = np.array([0.0, 1.0, 5.0, 0.5, 2.0, 0.1, 0.2])
    normal = np.array([True, True, False, True, False, True, False])
    events = [("a", 2, 3), ("b", 4, 5), ("b", 6, 7)]
    found = by_type(events, scores, scores > 1.5, normal, within=0, buffer=0)
    assert list(found) == ["a", "b"]
    assert (found["a"].events, found["a"].auc_roc, found["a"].vus_pr) == (1, 1.0, 1.0)
    assert found["b"].auc_roc == pytest.approx((4 + 2) / 8)
    # The row of score 5 is of another type. Half of the rows at precision 1 with one of two events found, all rows at
    # precision 2 / 4 with both.
    assert found["b"].vus_pr == pytest.approx(0.5 * 0.5 * 1.0 + (1.0 - 0.25) * 0.5)
    assert (found["b"].events, found["b"].recall, found["b"].recall_within, found["b"].delay) == (2, 0.5, 0.5, 0.0)


def test_an_event_is_found_in_time_also_behind_its_end_and_late_within_it():
    alarms = np.zeros(300, dtype=bool)
    alarms[[58, 120, 208]] = True
    normal = np.ones(300, dtype=bool)
    events = [("short", 50, 51), ("long", 100, 130), ("short", 200, 201), ("long", 250, 290)]
    for _, start, stop in events:
        normal[start:stop] = False
    found = by_type(events, alarms.astype(float), alarms, normal, within=8)
    # Both short ones 8 rows after their first row; one long one 20 rows late, the other never.
    assert (found["short"].recall, found["short"].recall_within, found["short"].delay) == (0.0, 1.0, 8.0)
    assert (found["long"].recall, found["long"].recall_within, found["long"].delay) == (0.5, 0.0, 20.0)
    strict = by_type(events, alarms.astype(float), alarms, normal, within=7)
    assert strict["short"].recall_within == 0.0
    assert np.isnan(strict["short"].delay)


def test_scores_of_other_types_do_not_matter():
    generator = np.random.default_rng(3)
    scores, normal = generator.standard_normal(400), np.ones(400, dtype=bool)
    events = [("a", 100, 110), ("b", 112, 130)]  # within each other's buffers
    for _, start, stop in events:
        normal[start:stop] = False
    changed = scores.copy()
    changed[112:130] += 5.0
    first = by_type(events, scores, scores > 2, normal)["a"]
    assert by_type(events, changed, scores > 2, normal)["a"] == first
    assert by_type(events, changed, changed > 2, normal)["b"].auc_roc > 0.99
