import numpy as np
import pytest
import talib
from tests.features.markets import MADE, TIMEFRAME_MS, random_walk

from triptych import features
from triptych.features._history import History
from triptych.features.patterns import BLOCK, PATTERNS


def found(name, values, times):
    return features.describe(name).compute(History(values, times, TIMEFRAME_MS))


def test_every_pattern_of_talib_has_one_name():
    assert sorted(PATTERNS.values()) == sorted(talib.get_function_groups()["Pattern Recognition"])
    assert len(set(PATTERNS.values())) == len(PATTERNS) == 61


def market(*last):
    """Falling candles of equal size, and then the candles given."""
    close = 200.0 - 2.0 * np.arange(1, 21)
    fall = np.column_stack([close + 2.0, close + 2.5, close - 0.5, close, np.ones(20)])
    values = np.vstack([fall, [(*candle, 1.0) for candle in last]])
    return values, random_walk(len(values))[1]


def test_a_rising_candle_that_holds_the_falling_one_before_it_is_engulfing():
    values, times = market((159.0, 163.0, 158.5, 162.5))
    assert found("engulfing", values, times)[-1] == 1.0


def test_a_falling_candle_that_holds_the_rising_one_before_it_is_engulfing_downwards():
    values, times = market((160.0, 162.5, 159.5, 162.0), (162.5, 163.0, 158.5, 159.0))
    assert found("engulfing", values, times)[-1] == -1.0


def test_a_candle_that_closes_where_it_opened_is_a_doji():
    values, times = market((160.0, 161.5, 158.5, 160.0))
    assert found("doji", values, times)[-1] == 1.0
    assert found("doji", values, times)[-2] == 0.0


def test_a_small_body_above_a_long_shadow_is_a_hammer():
    values, times = market((159.0, 159.6, 155.0, 159.5))
    assert found("hammer", values, times)[-1] == 1.0


def test_a_morning_star_turns_a_fall():
    values, times = market((160.0, 160.2, 155.9, 156.0), (155.0, 155.4, 154.6, 155.2), (156.0, 160.2, 155.8, 160.0))
    assert found("morning_star", values, times)[-1] == 1.0
    assert found("morning_star", values, times)[12:-1].tolist() == [0.0] * 10


def test_hikkake_counts_double_when_it_is_confirmed():
    values, times = random_walk(3000, seed=2)
    assert set(np.unique(found("hikkake", values, times)[9:])) == {-2.0, -1.0, 0.0, 1.0, 2.0}


@pytest.mark.parametrize("name", ["doji", "harami", "long_line", "engulfing", "spinning_top"])
def test_on_coarse_ticks_patterns_do_not_depend_on_where_the_history_starts(name):
    values, times = MADE["ticks"]()
    whole = found(name, values, times)
    settle = features.describe(name).settle
    for start in (1, 77, 128, 900):
        np.testing.assert_array_equal(found(name, values[start:], times[start:])[settle:], whole[start + settle :])


def test_blocks_end_at_fixed_times():
    _, times = random_walk(3 * BLOCK)
    assert np.count_nonzero(np.diff(times // (BLOCK * TIMEFRAME_MS))) in (2, 3)
    assert features.describe("doji").settle == BLOCK - 1 + features.describe("doji").lookback + 5
