from dataclasses import replace

import numpy as np
import pytest

from triptych.backtest.tape import batches, candles_per_year, check_tape
from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import DataError, NotEnoughData

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def series(hours, symbol="ABC", step_ms=HOUR_MS, shift_ms=0):
    times = np.asarray(hours, dtype=np.int64) * step_ms + shift_ms
    values = np.tile([10.0, 11.0, 9.0, 10.0, 1.0], (len(times), 1))
    return CandleSeries(
        instrument=Instrument(symbol=symbol), timeframe=Timeframe(step_ms), open_time_ms=times, values=values
    )


def test_candles_that_close_together_come_together_and_gaps_stay_gaps():
    tape = list(batches([series([0, 1, 3]), series([1, 2, 3], "XYZ")], 0, 10 * HOUR_MS, 0))
    assert [(time // HOUR_MS, [candle.symbol for candle in batch]) for time, batch in tape] == [
        (1, ["ABC"]),
        (2, ["ABC", "XYZ"]),
        (3, ["XYZ"]),
        (4, ["ABC", "XYZ"]),
    ]


def test_the_lead_comes_before_the_first_close_and_the_last_is_included():
    tape = list(batches([series(range(10))], 5 * HOUR_MS, 8 * HOUR_MS, 2))
    assert [time // HOUR_MS for time, _ in tape] == [3, 4, 5, 6, 7, 8]


def test_long_histories_come_whole():
    assert [batch[0].open_time_ms // HOUR_MS for _, batch in batches([series(range(9000))], 0, 10**12, 0)] == list(
        range(9000)
    )


def test_instruments_that_cannot_be_replayed_together_are_refused():
    check_tape([series([0, 1]), series([5, 6], "XYZ")])
    with pytest.raises(NotEnoughData) as caught:
        check_tape([])
    assert str(caught.value) == (
        "There is nothing to replay: no instrument, or one without candles. Bring candles for each instrument."
    )
    with pytest.raises(DataError) as caught:
        check_tape([series([0]), series([1])])
    assert str(caught.value) == "Each symbol may occur only once, was ['ABC', 'ABC']. Rename or merge the series."
    with pytest.raises(DataError) as caught:
        check_tape([series([0]), series([1], "XYZ", step_ms=DAY_MS)])
    assert str(caught.value) == (
        "All instruments must have the same timeframe, was 1h, 1d. Resample them to the longest one."
    )
    with pytest.raises(DataError) as caught:
        check_tape([series([0, 1]), series([0, 1], "XYZ", shift_ms=HOUR_MS // 2)])
    assert str(caught.value) == (
        "The candles of ABC, XYZ overlap: one opens at 1970-01-01 00:00:00 and another at 1970-01-01 00:30:00 UTC, "
        "less than 1h later. Resample them to one common grid."
    )


def test_a_year_of_sessions_has_as_many_candles_as_it_has():
    days = np.arange(3653)  # ten years from Thursday 1970-01-01
    sessions = days[(days + 3) % 7 < 5]
    times = sessions.astype(np.int64) * DAY_MS
    # 5 of 7 days: 365.25 * 5 / 7 = 260.9
    assert candles_per_year(times, Timeframe(DAY_MS)) == pytest.approx(260.9, abs=0.2)


def test_an_open_market_has_no_more_candles_than_hours():
    assert candles_per_year(np.arange(1000) * HOUR_MS, Timeframe(HOUR_MS)) == pytest.approx(8766)
    assert candles_per_year(np.arange(10) * HOUR_MS * 3, Timeframe(HOUR_MS)) == 8766  # too short to say
    assert candles_per_year(np.arange(1), Timeframe(HOUR_MS)) == 8766


def test_candles_bring_the_book_of_their_close():
    one = series(range(3))
    books = np.arange(12.0).reshape(3, 4)
    assert [batch[0].book for _, batch in batches([replace(one, books=books)], 0, 10**12, 0)] == [
        tuple(row) for row in books.tolist()
    ]
    assert [batch[0].book for _, batch in batches([one], 0, 10**12, 0)] == [None] * 3
