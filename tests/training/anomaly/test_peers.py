"""Our metrics beside those of `dtaianomaly` (MIT) and `aeon` (BSD), and beside the definitions written out plainly.

Neither library can be an extra: sktime, which dtaianomaly 0.5 needs, and aeon 1.6 ask for a pandas below 3.1, aeon also
for a numba below 0.64; constraints.txt has newer ones. So their figures stand here as numbers, and the comparison runs
where somebody has installed them all the same (`pip install --no-deps`).
"""

import numpy as np
import pytest

from triptych.training.anomaly.affiliation import affiliation, affiliation_f1
from triptych.training.anomaly.metrics import judge, vus_pr
from triptych.training.anomaly.runs import runs

WHY = "is not installed: it does not fit constraints.txt"


def rows(text):
    return np.array([letter == "1" for letter in text])


def random_series(i):
    """Labels and scores: short and long, adjacent events, events at the borders, ties, scores that know nothing."""
    generator = np.random.default_rng(i)
    n = int(generator.choice([8, 30, 60, 240]))
    truth = np.zeros(n, dtype=bool)
    for _ in range(generator.integers(1, 6)):
        start = generator.integers(0, n)
        truth[start : start + int(generator.choice([1, 2, 5, 20]))] = True
    truth[:2] |= i % 5 == 0
    truth[-2:] |= i % 7 == 0
    if truth.all():
        truth[n // 2] = False
    scores = generator.standard_normal(n) + generator.choice([0, 1, 2]) * np.roll(truth, int(generator.integers(-3, 4)))
    return truth, np.round(scores) if i % 3 == 0 else scores


def plain_range_auc(truth, scores, length, *, variant):
    """Range-AUC-PR threshold by threshold.

    `ours` is the paper's. `dtaianomaly` lets labels fall off along a line, and an event is found by the row behind its
    slope too. `aeon` (and dtaianomaly's compatibility mode: the authors' first program) lets slopes add up, ends the
    one behind an event a row early and counts events whose slopes meet as one. Both join the points of the curve by
    lines, the first from a precision of 1.
    """
    n, reach = len(truth), length // 2 if length > 1 else 0
    soft, parts = truth.astype(float), []
    for start, stop in runs(truth):
        parts.append((max(start - reach, 0), min(stop + reach, n) + (variant == "dtaianomaly")))
        for row in range(n):
            distance = max(start - row, row - stop + 1)
            if not 0 < distance <= reach:
                continue
            if variant == "aeon":
                behind = row >= stop
                soft[row] += np.sqrt(1 - distance / length) if not behind or distance < reach else 0.0
            else:
                line = 1 - (1 - np.sqrt(0.5)) * distance / reach
                soft[row] = max(soft[row], np.sqrt(1 - distance / length) if variant == "ours" else line)
    soft = np.minimum(soft, 1.0)
    if variant == "aeon":
        parts = runs(soft > 0)
    positives = (truth.sum() + soft.sum()) / 2
    area, recall_before, precision_before = 0.0, 0.0, 1.0
    for threshold in np.unique(scores)[::-1]:
        called = scores >= threshold
        caught = (soft * called).sum()
        found = np.mean([(soft * called)[start:stop].sum() > 0 for start, stop in parts])
        recall, precision = min(caught / positives, 1.0) * found, caught / called.sum()
        height = precision if variant == "ours" else (precision + precision_before) / 2
        area += (recall - recall_before) * height
        recall_before, precision_before = recall, precision
    return area


def plain_vus(truth, scores, buffer, *, variant):
    return np.mean([plain_range_auc(truth, scores, length, variant=variant) for length in range(buffer + 1)])


@pytest.mark.parametrize("i", range(40))
def test_the_volume_is_that_of_the_definition_written_out(i):
    truth, scores = random_series(i)
    assert vus_pr(truth, scores, buffer=9, steps=10) == pytest.approx(plain_vus(truth, scores, 9, variant="ours"))


# Labels, alarms, and what dtaianomaly 0.5.1 says: affiliation precision, recall and F1, event-wise recall.
ALARMS = (
    ("00011000", "10011100", 0.6875, 1.0, 0.8148148148148148, 1.0),
    ("0001100000000010", "0000011000100000", 0.3663967611336032, 0.5101214574898785, 0.4264756757767575, 0.0),
    (
        "1100000110011000000001",
        "0110000000001111000000",
        0.628968253968254,
        0.46130952380952384,
        0.5322479310195416,
        0.5,
    ),
    ("000010000000000000000000", "100000000000000000000001", 0.34375, 0.7083333333333334, 0.46287128712871295, 0.0),
    ("0000011111000000", "1111111111111111", 0.548828125, 1.0, 0.7087011349306431, 1.0),
)


@pytest.mark.parametrize(("labels", "alarms", "precision", "recall", "f1", "events_found"), ALARMS)
def test_affiliation_and_events_found_are_those_of_dtaianomaly(labels, alarms, precision, recall, f1, events_found):
    truth, called = rows(labels), rows(alarms)
    assert affiliation(truth, called) == pytest.approx((precision, recall), abs=1e-12)
    assert affiliation_f1(truth, called) == pytest.approx(f1, abs=1e-12)
    assert judge(truth, called.astype(float), called).recall == events_found


# Labels, scores, and the volume under the precision-recall surface over buffers of 0 .. 6 rows: ours, that of
# dtaianomaly 0.5.1, and that of aeon 1.6.0 (the same as dtaianomaly's compatibility mode).
SCORES = (
    ("00011000", "10031200", 0.8306619768409246, 0.8551012102946538, 0.8058164452370012),
    ("0001100000000010", "1322981772143216", 0.5346184921424992, 0.5073062687638353, 0.4431590678893604),
    ("1100000110011000000001", "3141592653589793238462", 0.5857622895596176, 0.5828210039734916, 0.5333235719713935),
)


@pytest.mark.parametrize(("labels", "digits", "ours", "dtaianomaly", "aeon"), SCORES)
def test_volumes_differ_from_the_libraries_by_their_definitions_alone(labels, digits, ours, dtaianomaly, aeon):
    truth, scores = rows(labels), np.array([float(digit) for digit in digits])
    assert vus_pr(truth, scores, buffer=6, steps=7) == pytest.approx(ours, abs=1e-12)
    assert plain_vus(truth, scores, 6, variant="dtaianomaly") == pytest.approx(dtaianomaly, abs=1e-12)
    assert plain_vus(truth, scores, 6, variant="aeon") == pytest.approx(aeon, abs=1e-12)


def test_affiliation_is_that_of_the_installed_dtaianomaly():
    peer = pytest.importorskip("dtaianomaly.evaluation", reason=f"dtaianomaly {WHY}")
    for i in range(200):
        truth, scores = random_series(i)
        alarms = scores >= np.quantile(scores, (0.5, 0.9, 0.97)[i % 3])
        y, called = truth.astype(int), alarms.astype(int)
        theirs = peer.AffiliationPrecision().compute(y, called), peer.AffiliationRecall().compute(y, called)
        assert affiliation(truth, alarms) == pytest.approx(theirs, abs=1e-12)
        assert judge(truth, scores, alarms, buffer=0).recall == peer.EventWiseRecall().compute(y, called)


def test_volumes_are_those_of_the_installed_dtaianomaly():
    peer = pytest.importorskip("dtaianomaly.evaluation", reason=f"dtaianomaly {WHY}")
    for i in range(60):
        truth, scores = random_series(i)
        for variant, compatible in (("dtaianomaly", False), ("aeon", True)):
            theirs = peer.VolumeUnderPR(max_buffer_size=9, compatibility_mode=compatible).compute(
                truth.astype(int), scores
            )
            assert plain_vus(truth, scores, 9, variant=variant) == pytest.approx(theirs, abs=1e-9)


def test_volumes_are_those_of_the_installed_aeon():
    peer = pytest.importorskip("aeon.benchmarking.metrics.anomaly_detection", reason=f"aeon {WHY}")
    for i in range(60):
        truth, scores = random_series(i)
        theirs = peer.range_pr_vus_score(truth.astype(int), scores, max_buffer_size=9)
        assert plain_vus(truth, scores, 9, variant="aeon") == pytest.approx(theirs, abs=1e-9)
