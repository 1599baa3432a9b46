from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain import Candle, Instrument, Timeframe
from triptych.domain.errors import DataError
from triptych.trading.window import CandleWindow

ABC = Instrument(symbol="ABC")


def candle(i):
    return Candle(
        symbol="ABC", timeframe=Timeframe(60_000), open_time_ms=i * 60_000,
        open=10 + i, high=12 + i, low=9 + i, close=11 + i, volume=i,
    )  # fmt: skip


@given(capacity=st.integers(1, 20), n=st.integers(1, 500))
def test_it_always_holds_the_last_candles(capacity, n):
    window = CandleWindow(capacity, ABC)
    for i in range(n):
        window.append(candle(i))
    held = min(capacity, n)
    assert len(window) == held
    expected = [[10 + i, 12 + i, 9 + i, 11 + i, i] for i in range(n - held, n)]
    assert window.last(held).tolist() == expected
    assert window.last_times(held).tolist() == [(i + 1) * 60_000 for i in range(n - held, n)]


def test_more_than_it_holds_cannot_be_asked():
    window = CandleWindow(4, ABC)
    window.append(candle(0))
    assert window.last(2) is None
    with pytest.raises(IndexError, match=r"The window keeps 4 candles, 5 were asked for\."):
        window.last(5)
    with pytest.raises(IndexError, match=r"The window holds 1 candles, 2 were asked for\."):
        window.last_times(2)


def test_the_view_cannot_be_written_to():
    window = CandleWindow(2, ABC)
    window.append(candle(0))
    with pytest.raises(ValueError, match="read-only"):
        window.last(1)[0, 0] = np.nan


def test_a_history_is_a_copy_with_its_times():
    window = CandleWindow(3, ABC)
    assert window.history(1) is None
    for i in range(5):
        window.append(candle(i))
    history = window.history(2)
    assert history.open_time_ms.tolist() == [180_000, 240_000]
    assert history.values[:, 3].tolist() == [14.0, 15.0]
    assert (history.symbol, history.timeframe) == ("ABC", Timeframe(60_000))
    window.append(candle(5))
    assert history.values[:, 3].tolist() == [14.0, 15.0]


def test_a_candle_that_is_not_later_is_refused():
    window = CandleWindow(3, ABC)
    window.append(candle(1))
    with pytest.raises(DataError) as caught:
        window.append(candle(1))
    assert str(caught.value) == (
        "ABC: the candle of 1970-01-01 00:01:00 UTC is not later than the one before it. "
        "Feed each closed candle once, in time order."
    )


@given(capacity=st.integers(1, 12), n=st.integers(1, 200), first=st.integers(0, 40), every=st.integers(1, 3))
def test_books_stay_beside_their_candles(capacity, n, first, every):
    window = CandleWindow(capacity, ABC)
    booked = [i for i in range(n) if i >= first and i % every == 0]
    for i in range(n):
        window.append(replace(candle(i), book=(float(i),) * 4) if i in booked else candle(i))
    held = min(capacity, n)
    books = window.history(held).books
    if not booked:
        assert books is None
        return
    expected = [float(i) if i in booked else np.nan for i in range(n - held, n)]
    np.testing.assert_array_equal(books, np.repeat(np.array(expected)[:, None], 4, axis=1))
