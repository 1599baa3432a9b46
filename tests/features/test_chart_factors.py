import numpy as np
import pytest
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych import features
from triptych.features._history import History
from triptych.features.chart_factors import AGE, BEFORE, BLOCK, FACTORS, LOOKBACK
from triptych.features.chart_patterns import PATTERNS, find_chart_patterns

N = BLOCK - 56  # one block, so that the scan is that of the whole history


@pytest.fixture(scope="module")
def walk():
    values, _ = random_walk(N, seed=1)
    return values, np.arange(N, dtype=np.int64) * TIMEFRAME_MS


def columns(values, times):
    history = History(values, times, TIMEFRAME_MS)
    return {factor.name: factor.compute(history) for factor in FACTORS}


def test_a_pattern_is_1_when_it_is_known_and_fades_within_64_candles(walk):
    found = find_chart_patterns(walk[0])
    assert len(found) >= 3
    rows = columns(*walk)
    last = {}
    for one in found:
        last.setdefault(one.pattern, []).append(one)
    for name, ones in last.items():
        side = PATTERNS[name] or 1
        expected = np.zeros(N)
        for one in ones:
            for age in range(min(AGE, N - one.known_at)):
                expected[one.known_at + age] = side * (1.0 - age / AGE)
        np.testing.assert_allclose(rows[name][LOOKBACK:], expected[LOOKBACK:])
        assert rows[name][ones[0].known_at] == side
        assert not rows[name][LOOKBACK : ones[0].known_at].any()
    for name in set(PATTERNS) - set(last):
        assert not rows[name][LOOKBACK:].any()


def test_the_side_is_that_of_the_patterns_together(walk):
    rows = columns(*walk)
    total = sum(rows[name] for name, side in PATTERNS.items() if side)
    np.testing.assert_allclose(rows["chart_pattern_side"], np.clip(total, -1, 1))
    assert np.nanmax(np.abs(rows["chart_pattern_side"])) > 0.5


def test_a_history_that_begins_later_says_the_same_after_it_has_settled():
    n, cut = 3 * BLOCK + BEFORE, 200
    values, _ = random_walk(n, seed=3)
    times = (np.arange(n, dtype=np.int64) + 100) * TIMEFRAME_MS
    names = tuple(features.resolve(["chart_patterns"]))
    whole, short = columns(values, times), columns(values[cut:], times[cut:])
    settle = features.describe(names[0]).settle
    for name in names:
        np.testing.assert_array_equal(short[name][settle:], whole[name][cut + settle :])


def test_recipes_name_them_as_every_factor():
    made = features.FeaturePipeline(features.Config(names=("return_1", "chart_patterns"), normalisation="none"))
    assert made.columns == ("return_1", *PATTERNS, "chart_pattern_side")
    assert made.warm_up == BLOCK - 1 + BEFORE
