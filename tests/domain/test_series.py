from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.candles import make_series

from triptych.domain import Timeframe
from triptych.domain.errors import CandleError, NotEnoughData

TIMES = 1_672_617_600_000 + 900_000 * np.arange(10)


def test_a_series_knows_its_columns_and_times():
    series = make_series(TIMES)
    assert len(series) == 10
    assert series.symbol == "BTCUSDT"
    assert series.close.tolist() == series.values[:, 3].tolist()
    assert (series.close_time_ms - series.open_time_ms).tolist() == [900_000] * 10


def test_disorder_names_the_candle():
    times = TIMES.copy()
    times[4] = times[3]
    with pytest.raises(CandleError) as caught:
        make_series(times)
    assert str(caught.value) == (
        "BTCUSDT: candle 4 (2023-01-02 00:45:00 UTC) is not later than the one before it. "
        "Import the file with `triptych data import`, which sorts and removes duplicates."
    )


@pytest.mark.parametrize(("column", "value"), [(3, float("nan")), (4, float("inf")), (0, 0.0), (2, -1.0)])
def test_values_that_are_no_prices_name_the_candle(column, value):
    values = np.tile([10.0, 12.0, 9.0, 11.0, 5.0], (10, 1))
    values[2, column] = value
    with pytest.raises(CandleError) as caught:
        make_series(TIMES, values)
    assert str(caught.value) == (
        "BTCUSDT: candle 2 (2023-01-02 00:30:00 UTC) holds NaN or a price that is not positive: "
        f"{values[2].tolist()}. Run `triptych data check` on the source."
    )


def test_the_shape_of_the_values_must_fit_the_times():
    series = make_series(TIMES)
    with pytest.raises(CandleError) as caught:
        type(series)(
            instrument=series.instrument, timeframe=series.timeframe, open_time_ms=TIMES, values=series.values[:, :4]
        )
    assert str(caught.value) == "BTCUSDT: expected values of shape (10, 5), was (10, 4)."


@given(st.integers(0, 10), st.integers(0, 10))
def test_a_stretch_is_cut_by_position(start, stop):
    series = make_series(TIMES)
    part = series.between(start, stop)
    assert part.open_time_ms.tolist() == TIMES[start:stop].tolist()
    assert series.head(stop).fingerprint() == series.between(0, stop).fingerprint()


def test_one_candle_is_taken_by_position():
    series = make_series(TIMES)
    candle = series.candle(7)
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume] == series.values[7].tolist()
    assert candle.open_time_ms == TIMES[7]
    assert candle.timeframe == Timeframe.parse("15m")


@given(st.lists(st.integers(2, 9), max_size=6))
def test_a_window_ends_with_the_candle_of_its_decision(ends):
    series = make_series(TIMES)
    windows = series.windows(np.array(ends, dtype=np.int64), 3)
    assert windows.shape == (len(ends), 3, 5)
    for window, end in zip(windows, ends, strict=True):
        assert window.tolist() == series.values[end - 2 : end + 1].tolist()


def test_a_window_that_starts_before_the_history_is_refused():
    with pytest.raises(NotEnoughData) as caught:
        make_series(TIMES).windows(np.array([5, 3]), 5)
    assert str(caught.value) == (
        "BTCUSDT: a window of 5 candles cannot end at candle 3. Bring at least 5 candles or shorten the window."
    )


def test_the_fingerprint_is_of_symbol_timeframe_times_and_values():
    series = make_series(TIMES)
    same = make_series(TIMES.copy(), series.values.copy())
    assert same.fingerprint() == series.fingerprint()
    assert len(series.fingerprint()) == 64
    values = series.values.copy()
    values[9, 4] = np.nextafter(values[9, 4], np.inf)
    others = [
        make_series(TIMES, values),
        make_series(TIMES, series.values, symbol="ETHUSDT"),
        make_series(TIMES, series.values, timeframe="5m"),
        make_series(TIMES + 1, series.values),
    ]
    assert len({series.fingerprint(), *(other.fingerprint() for other in others)}) == 5
    assert make_series(TIMES, np.asfortranarray(series.values)).fingerprint() == series.fingerprint()


def test_books_beside_candles_are_cut_with_them_and_are_part_of_the_hash():
    series = make_series(TIMES)
    books = np.arange(80.0).reshape(10, 8)
    booked = replace(series, books=books)
    assert booked.between(2, 5).books.tolist() == books[2:5].tolist()
    assert booked.candle(3).book == tuple(books[3].tolist())
    assert series.candle(3).book is None
    assert booked.candle(3) == series.candle(3)  # the book stands beside the candle and makes no other of it
    assert booked.fingerprint() != series.fingerprint() != replace(series, books=books + 1).fingerprint()


@pytest.mark.parametrize("shape", [(9, 8), (10, 7), (80,)])
def test_books_of_another_shape_are_refused(shape):
    with pytest.raises(CandleError) as caught:
        replace(make_series(TIMES), books=np.zeros(shape))
    assert str(caught.value) == f"BTCUSDT: expected books of shape (10, 4 * levels), was {shape}."
