"""A scan that is gone on with finds what a scan of the whole stretch finds, and feeds each candle once."""

import numpy as np
import pytest
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych import features
from triptych.features.chart_patterns import KeptScans, find_chart_patterns, kept_scans
from triptych.features.chart_patterns.scanner import ChartPatternScanner

VALUES, _ = random_walk(420, seed=3)
NONE = np.zeros(len(VALUES), dtype=bool)


@pytest.fixture
def fed(monkeypatch):
    """How many candles the scanners were fed."""
    count = [0]
    honest = ChartPatternScanner.update

    def update(self, candle, *, after_outage=False):
        count[0] += 1
        return honest(self, candle, after_outage=after_outage)

    monkeypatch.setattr(ChartPatternScanner, "update", update)
    return count


def test_a_stretch_that_grows_is_fed_its_new_candles_alone(fed):
    scans = KeptScans()
    for stop in (300, 301, 302, 420):
        found = scans.detections((0, TIMEFRAME_MS), VALUES[:stop], NONE[:stop])
        assert fed == [stop]
        fresh = find_chart_patterns(VALUES[:stop])
        fed[0] = stop
        assert found == fresh
    assert len(found) > 3


def test_another_past_another_outage_or_a_shorter_stretch_is_scanned_anew():
    scans = KeptScans()
    scans.detections((0, TIMEFRAME_MS), VALUES[:400], NONE[:400])
    other = VALUES.copy()
    other[200, 4] += 1.0
    other[250:, :4] *= 1.5
    assert scans.detections((0, TIMEFRAME_MS), other, NONE) == find_chart_patterns(other)
    assert scans.detections((0, TIMEFRAME_MS), VALUES[:350], NONE[:350]) == find_chart_patterns(VALUES[:350])
    after = NONE.copy()
    after[340] = True
    assert scans.detections((0, TIMEFRAME_MS), VALUES, after) == find_chart_patterns(VALUES, after_outage=after)


def test_no_more_scans_are_kept_than_that(monkeypatch, fed):
    monkeypatch.setattr(kept_scans, "KEPT", 2)
    scans = KeptScans()
    for begin in (0, 1, 2, 0):
        scans.detections((begin, TIMEFRAME_MS), VALUES[begin : begin + 20], NONE[:20])
    assert fed == [80]
    scans.detections((2, TIMEFRAME_MS), VALUES[2:22], NONE[:20])
    assert fed == [80]


def test_factors_of_the_next_close_scan_one_candle_more_and_say_what_a_fresh_scan_says(fed):
    made = features.FeaturePipeline(features.Config(names=("chart_patterns",), normalisation="none"))
    n, shown = made.warm_up + 300, made.warm_up + 40
    values, _ = random_walk(n, seed=8)
    times = (np.arange(n, dtype=np.int64) + 777) * TIMEFRAME_MS
    whole = made.rows(values, times, TIMEFRAME_MS)
    live = []
    for stop in range(n - 8, n):
        before = fed[0]
        rows = made.rows(values[stop - shown : stop], times[stop - shown : stop], TIMEFRAME_MS)
        np.testing.assert_array_equal(rows[made.warm_up :], whole[stop - 40 : stop])
        live.append(fed[0] - before)
    assert live[1:] == [1] * 7
    assert np.abs(whole[made.warm_up :]).max() > 0.5
