import numpy as np
from tests.fakes.market import walk

from triptych.market.shuffling import shuffled

SERIES = walk(400, seed=2)


def relative(values):
    return np.column_stack([values[1:, :4] / values[:-1, 3:4], values[1:, 4]])


def test_the_candles_are_the_same_ones_in_another_order():
    made = shuffled(SERIES, 5)
    before, after = relative(SERIES.values), relative(made.values)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(np.sort(before, axis=0), np.sort(after, axis=0), rtol=1e-9)
    np.testing.assert_array_equal(made.values[0], SERIES.values[0])
    np.testing.assert_allclose(made.close[-1], SERIES.close[-1], rtol=1e-9)
    np.testing.assert_array_equal(made.open_time_ms, SERIES.open_time_ms)


def test_a_candle_s_own_shape_and_volume_stay_together():
    rows = {tuple(np.round(row, 9)) for row in relative(SERIES.values)}
    assert {tuple(np.round(row, 9)) for row in relative(shuffled(SERIES, 5).values)} == rows


def test_the_order_is_fixed_by_the_seed():
    assert np.array_equal(shuffled(SERIES, 5).values, shuffled(SERIES, 5).values)
    assert not np.array_equal(shuffled(SERIES, 5).values, shuffled(SERIES, 6).values)


def test_trends_and_clusters_are_gone():
    trending = walk(4000, seed=3, momentum=0.6)
    returns = [np.diff(np.log(one.close)) for one in (trending, shuffled(trending, 1))]
    before, after = (float(np.corrcoef(one[1:], one[:-1])[0, 1]) for one in returns)
    assert before > 0.5
    assert abs(after) < 0.05


def test_of_few_candles_a_long_history_is_made_one_order_after_another():
    made = shuffled(SERIES, 5, 1500)
    whole = relative(SERIES.values)
    assert len(made) == 1500
    np.testing.assert_array_equal(made.values[:400], shuffled(SERIES, 5).values)
    after = relative(made.values)
    for start in (0, 399, 798):  # every candle once before any comes again
        np.testing.assert_allclose(np.sort(after[start : start + 399], axis=0), np.sort(whole, axis=0), rtol=1e-9)
    assert not np.allclose(after[:399], after[399:798])
    assert (np.diff(made.open_time_ms) == SERIES.timeframe.milliseconds).all()
    assert len(shuffled(SERIES, 5, 60)) == 60
