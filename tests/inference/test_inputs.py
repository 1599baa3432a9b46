import numpy as np
import pytest
from tests.fakes.market import HOUR_MS, walk

from triptych.domain.errors import DataError
from triptych.inference.inputs import Config, FactorRows, known_windows
from triptych.market import resample

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


def in_timeframes(*periods: int, **changes) -> FactorRows:
    """Of two factors that settle at once."""
    return maker(**{"names": ("return_1", "roc_5"), "companions": (), "periods": periods} | changes)


def test_a_longer_timeframe_stands_beside_as_its_last_closed_candle():
    series = walk(800, seed=1)
    rows = in_timeframes(1, 4).rows(series)
    longer = resample(series, "4h")
    alone = in_timeframes(1).rows(longer)
    # The walk begins at midnight, so candle 4 k + 3 closes the k-th of four hours.
    for end in (203, 204, 205, 206, 207):
        np.testing.assert_array_equal(rows[end, 2:], alone[(end + 1) // 4 - 1])
    np.testing.assert_array_equal(rows[:, :2], in_timeframes(1).rows(series))


def test_rows_of_longer_timeframes_are_known_from_the_warm_up_on_wherever_the_history_begins():
    series = walk(800, seed=1)
    rows = in_timeframes(1, 4)
    whole = rows.rows(series)
    for start in (0, 1, 2, 3, 5):
        part = rows.rows(series.between(start, 800))
        assert np.isfinite(part[rows.warm_up :]).all()
        np.testing.assert_allclose(part[rows.warm_up :], whole[start + rows.warm_up :], rtol=0, atol=1e-6)


def test_longer_timeframes_never_look_ahead():
    series = walk(700, seed=1)
    rows = in_timeframes(1, 2, 4)
    whole = rows.rows(series)
    for length in range(rows.warm_up + 1, 700, 37):
        np.testing.assert_array_equal(rows.rows(series.head(length))[-1], whole[length - 1])


def test_companions_come_in_every_timeframe():
    a, b = walk(800, seed=1), walk(800, seed=2, symbol="BBB")
    rows = in_timeframes(1, 4, companions=("BBB",)).rows(a, {"BBB": b})
    np.testing.assert_array_equal(rows[:, [0, 1, 4, 5]], in_timeframes(1, 4).rows(a))
    np.testing.assert_array_equal(rows[100:, [2, 3, 6, 7]], in_timeframes(1, 4).rows(b)[100:])


@pytest.mark.parametrize("periods", [(), (4,), (1, 4, 4), (1, 16, 4)])
def test_periods_rise_from_the_candles_own(periods):
    with pytest.raises(ValueError, match=r"periods must rise from 1, such as \[1, 4, 16\]"):
        Config(names=FACTORS, periods=periods)


def test_longer_candles_are_read_as_of_the_last_that_had_closed():
    series = walk(100)
    table = FactorRows(Config(period=4)).table(series)
    longer = resample(series, "4h")
    np.testing.assert_array_equal(table.values, longer.values.astype(np.float32))
    # Candles 0 to 2 know no longer one; candle 3 closes the first, candles 4 to 6 still read it.
    assert table.ends[:9].tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1]
    assert table.turn().tolist() == list(range(100))
    np.testing.assert_array_equal(FactorRows(Config(period=4)).rows(series)[6], table.values[0])


def test_a_window_of_longer_candles_holds_none_that_the_history_cut_off():
    series = walk(100)
    late = series.between(2, 100)  # begins within the first candle of 4h
    rows = FactorRows(Config(period=4))
    assert np.isnan(rows.table(late).values[0]).all()
    np.testing.assert_array_equal(rows.table(late).values[1:], rows.table(series).values[1:])
    assert rows.candles(10) == 4 * 12 - 1
    for length in range(rows.candles(10), rows.candles(10) + 4):  # wherever the history ends between two closes
        assert rows.table(series.between(51 - length, 51)).known(10)[-1]


def test_factors_of_longer_candles_are_those_of_the_resampled_history():
    series, other = walk(1600, seed=1), walk(1600, seed=2, symbol="BBB")
    config = Config(names=FACTORS, window=20, companions=("BBB",))
    made = FactorRows(config.model_copy(update={"period": 4})).table(series, {"BBB": other})
    same = FactorRows(config).table(resample(series, "4h"), {"BBB": resample(other, "4h")})
    np.testing.assert_array_equal(made.values, same.values)


def test_an_answer_between_two_closes_of_longer_candles_uses_those_that_closed():
    series = walk(300)
    rows = FactorRows(Config(period=4))
    cut = series.between(0, 202)
    np.testing.assert_array_equal(rows.rows(series)[:202], rows.rows(cut))
    assert rows.table(cut).ends[-1] == 202 // 4 - 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"period": 2, "names": ("rsi_14",), "day": {"hours": ("00:00-24:00",)}},
            "period and day.hours do not go together: windows of whole days end with a day",
        ),
        ({"period": 2, "companions": ("BBB",)}, "companions, periods and detector stand beside factors"),
    ],
)
def test_what_does_not_go_with_longer_candles(wrong, message):
    with pytest.raises(ValueError, match=message):
        Config(**wrong)
