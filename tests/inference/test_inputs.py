import numpy as np
import pytest
from tests.fakes.market import HOUR_MS, walk

from triptych.domain.errors import DataError
from triptych.inference.inputs import Config, FactorRows, known_windows

FACTORS = ("return_1", "rsi_14")
CONFIG = Config(names=FACTORS, window=20, companions=("BBB", "AAA"))


def maker(**changes) -> FactorRows:
    return FactorRows(CONFIG.model_copy(update=changes))


def test_own_columns_come_first_and_the_instrument_is_no_companion_of_itself():
    a, b = walk(400, seed=1), walk(400, seed=2, symbol="BBB")
    rows = maker()
    assert (rows.beside("AAA"), rows.beside("BBB"), rows.beside("CCC")) == (("BBB",), ("AAA",), ("BBB", "AAA"))
    both, alone, other = rows.rows(a, {"BBB": b}), maker(companions=()).rows(a), maker(companions=()).rows(b)
    assert both.dtype == np.float32
    np.testing.assert_array_equal(both, np.concatenate([alone, other], axis=1))
    assert np.isnan(both[: rows.warm_up]).any(axis=1).all()
    assert np.isfinite(both[rows.warm_up :]).all()


def test_a_companion_is_seen_as_it_was_known_at_each_close():
    a, b = walk(400, seed=1), walk(400, seed=2, symbol="BBB")
    holed = b.between(0, 300)
    rows = maker().rows(a, {"BBB": holed})
    whole = maker(companions=()).rows(b)
    np.testing.assert_array_equal(rows[250:300, 2:], whole[250:300])
    np.testing.assert_array_equal(
        rows[300:316, 2:], np.repeat(whole[299:300], 16, axis=0)
    )  # its last candle, 1 .. 16 old
    assert np.isnan(rows[316:, 2:]).all()
    assert np.isfinite(rows[316:, :2]).all()


def test_a_companion_whose_candles_close_later_is_not_seen_early():
    a = walk(400, seed=1)
    late = walk(400, seed=2, symbol="BBB", start_ms=HOUR_MS // 2)
    rows = maker().rows(a, {"BBB": late})
    whole = maker(companions=()).rows(late)
    np.testing.assert_array_equal(rows[200:, 2:], whole[199:-1])


def test_without_its_companion_there_are_no_rows():
    with pytest.raises(DataError) as caught:
        maker().rows(walk(400))
    assert str(caught.value) == (
        "AAA: the model reads BBB as well, and there are no candles of it. Bring candles of AAA, BBB together."
    )


def test_windows_with_an_unknown_value_are_told():
    rows = np.zeros((6, 2))
    rows[2, 1] = np.nan
    assert known_windows(rows, 2).tolist() == [False, True, False, False, True, True]
    assert known_windows(rows[:1], 2).tolist() == [False]
