"""Rows without a score are left out, and nothing reaches from one entity into the next."""

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.training.anomaly.affiliation import affiliation
from triptych.training.anomaly.by_type import by_type
from triptych.training.anomaly.metrics import judge, vus_pr
from triptych.training.anomaly.pieces import Pieces, whole


def rows(n, *spans):
    found = np.zeros(n, dtype=bool)
    for start, stop in spans:
        found[start:stop] = True
    return found


def two_entities(n=200, *, known=None):
    return Pieces(known=np.ones(n, dtype=bool) if known is None else known, starts=(0, n // 2))


def test_an_event_that_ends_an_entity_is_not_that_which_begins_the_next():
    y, alarms = rows(200, (95, 105)), rows(200, (96, 98))
    joined = judge(y, alarms.astype(float), alarms)
    parted = judge(y, alarms.astype(float), alarms, pieces=two_entities())
    assert (joined.events, joined.recall) == (1, 1.0)
    assert (parted.events, parted.recall) == (2, 0.5)


def test_runs_of_alarms_and_slack_end_with_an_entity():
    y, alarms = rows(200, (90, 98), (150, 160)), rows(200, (99, 103), (150, 152))
    parted = judge(y, alarms.astype(float), alarms, pieces=two_entities(), slack=20, rows_per_day=182)
    assert parted.alarms_per_day == 2.0  # 99 to 99 and 100 to 102 are two runs
    late = rows(200, (100, 103), (150, 152))
    assert judge(y, late.astype(float), late, slack=20).recall == 1.0
    assert judge(y, late.astype(float), late, pieces=two_entities(), slack=20).recall == 0.5


def test_an_alarm_of_one_entity_is_not_running_in_the_next():
    y, alarms = rows(200, (100, 110)), rows(200, (50, 103))
    assert judge(y, alarms.astype(float), alarms).running == 1
    parted = judge(y, alarms.astype(float), alarms, pieces=two_entities())
    assert (parted.running, parted.recall, parted.delay) == (0, 1.0, 0.0)


def test_slopes_of_the_volume_end_with_an_entity():
    y, near = rows(200, (90, 100), (150, 155)), rows(200, (150, 155), (100, 110)).astype(float)
    joined, parted = vus_pr(y, near, buffer=40), vus_pr(y, near, buffer=40, pieces=two_entities())
    assert parted < joined - 0.05
    # Two entities judged at once are no others than each with its labels beside rows of the other far away.
    apart = np.insert(y, 100, np.zeros(400, dtype=bool))
    scores, known = np.insert(near, 100, np.zeros(400)), np.insert(np.ones(200, dtype=bool), 100, np.zeros(400, bool))
    assert parted == pytest.approx(vus_pr(apart, scores, buffer=40, pieces=Pieces(known=known)))


def test_zones_of_the_affiliation_are_those_of_each_entity_alone():
    generator = np.random.default_rng(0)
    y = rows(200, (10, 20), (60, 64), (130, 150))
    alarms = generator.random(200) < 0.1
    first, second = affiliation(y[:100], alarms[:100]), affiliation(y[100:], alarms[100:])
    parted = affiliation(y, alarms, two_entities())
    assert parted == pytest.approx([(2 * a + b) / 3 for a, b in zip(first, second, strict=True)])
    assert parted != pytest.approx(affiliation(y, alarms))


def test_rows_without_a_score_change_no_figure_whatever_they_hold():
    generator = np.random.default_rng(1)
    y, scores = rows(400, (120, 130), (250, 260)), generator.standard_normal(400)
    known = rows(400, (40, 400))
    without = judge(y[40:], scores[40:], scores[40:] > 1.5)
    for junk in (0.0, 9.0, np.nan):
        filled = np.where(known, scores, junk)
        found = judge(y, filled, filled > 1.5, pieces=Pieces(known=known))
        assert found.rows_left_out == 40
        for name in ("auc_roc", "vus_pr", "affiliation_f1", "recall", "delay", "alarms_per_day", "alarm_share"):
            assert getattr(found, name) == pytest.approx(getattr(without, name)), name


def test_zeros_of_a_warm_up_in_normal_rows_no_longer_make_a_detector_look_good():
    generator = np.random.default_rng(2)
    y, known = rows(1000, (500, 800)), rows(1000, (300, 1000))
    scores = np.where(known, 1.0 + generator.random(1000), 0.0)
    assert judge(y, scores, known).auc_roc > 0.65
    assert judge(y, scores, known, pieces=Pieces(known=known)).auc_roc == pytest.approx(0.5, abs=0.05)


def test_an_event_without_a_score_is_left_out_and_counted_not_missed():
    y, known = rows(200, (10, 20), (45, 60), (120, 130)), rows(200, (50, 200))
    alarms = rows(200, (55, 58), (121, 123))
    found = judge(y, alarms.astype(float), alarms, pieces=Pieces(known=known))
    assert (found.events, found.events_left_out, found.recall) == (2, 1, 1.0)
    assert found.delay == np.median([5, 1])  # the second begins with its first row that has a score
    kinds = [("early", 10, 20), ("late", 45, 60), ("late", 120, 130)]
    typed = by_type(kinds, alarms.astype(float), alarms, ~y, pieces=Pieces(known=known))
    assert (typed["early"].events, typed["early"].events_left_out) == (0, 1)
    assert np.isnan(typed["early"].auc_roc)
    assert (typed["late"].events, typed["late"].recall, typed["late"].events_left_out) == (2, 1.0, 0)


def test_an_alarm_that_ran_long_before_an_event_finds_it_without_a_delay_and_is_told():
    y = rows(300, (100, 110), (200, 210))
    for began, running in ((92, 0), (91, 1), (20, 1)):
        alarms = rows(300, (began, 103), (204, 206))
        found = judge(y, alarms.astype(float), alarms)
        assert (found.recall, found.running) == (1.0, running)
        assert found.delay == (4.0 if running else 2.0)
        typed = by_type([("a", 100, 110)], alarms.astype(float), alarms, ~y)["a"]
        assert (typed.running, typed.recall) == (running, 1.0)
        assert np.isnan(typed.delay) == bool(running)
    always = np.ones(300, dtype=bool)
    found = judge(y, always.astype(float), always)
    assert (found.recall, found.running, found.alarm_share) == (1.0, 2, 1.0)
    assert np.isnan(found.delay)


def test_a_bad_row_does_not_end_a_run_of_alarms():
    y, alarms, known = rows(200, (100, 110)), rows(200, (50, 120)), ~rows(200, (98, 100))
    assert judge(y, alarms.astype(float), alarms, pieces=Pieces(known=known)).running == 1
    broken = alarms & ~rows(200, (97, 98))
    assert judge(y, broken.astype(float), broken, pieces=Pieces(known=known)).running == 0


def test_whole_pieces_are_those_that_nobody_named():
    generator = np.random.default_rng(3)
    y, scores = rows(300, (100, 120)), generator.standard_normal(300)
    assert judge(y, scores, scores > 1) == judge(y, scores, scores > 1, pieces=whole(300))


def test_nothing_can_be_judged_where_no_anomalous_row_has_a_score():
    y, known = rows(200, (10, 20)), rows(200, (50, 200))
    with pytest.raises(DataError) as error:
        judge(y, np.zeros(200), np.zeros(200, dtype=bool), pieces=Pieces(known=known))
    assert str(error.value) == (
        "None of the 10 anomalous rows has a score, so nothing can be judged. Bring the rows before them too: the "
        "first ones of each unbroken stretch warm the detector up."
    )
