import numpy as np

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.recorded import RecordedPredictor

MINUTE_MS = 60_000


class LastClose(AbstractPredictor):
    """The probability to buy is the last close / 100; counts how often it is asked, and for how many windows."""

    def __init__(self, length=3):
        self.length, self.name, self.batches = length, "last-close", []

    def probabilities(self, windows):
        self.batches.append(len(windows))
        buy = windows[:, -1, 3] / 100
        return np.stack([1 - buy, 0 * buy, buy], axis=1).astype(np.float32)


class Nothing(AbstractView):
    def history(self, symbol, length):
        raise AssertionError("nobody had to look")


class Series(AbstractView):
    """One history under every symbol."""

    def __init__(self, history):
        self._all = history

    def history(self, symbol, length):
        return self._all.between(len(self._all) - length, len(self._all))


def series(n=10):
    values = np.repeat(np.arange(1.0, n + 1)[:, None], 5, axis=1)
    times = np.arange(n, dtype=np.int64) * MINUTE_MS
    return CandleSeries(
        instrument=Instrument(symbol="ABC"), timeframe=Timeframe(MINUTE_MS), open_time_ms=times, values=values
    )


def test_the_record_holds_every_full_window_that_closes_in_the_period():
    inner = LastClose()
    recorded = RecordedPredictor.record(inner, [series()], start_ms=0, end_ms=9 * MINUTE_MS)
    assert inner.batches == [6]  # candles 2 .. 7
    window = series().values[5:8]
    answer = recorded.predict_now(Nothing(), "ABC", 8 * MINUTE_MS)
    assert answer == inner.predict("ABC", window, 8 * MINUTE_MS)
    assert (answer.model, answer.symbol, answer.time_ms) == ("last-close", "ABC", 8 * MINUTE_MS)
    assert inner.batches == [6, 1]


def test_what_is_not_recorded_is_asked_of_the_predictor_itself():
    inner = LastClose()
    recorded = RecordedPredictor.record(inner, [series()], start_ms=0, end_ms=5 * MINUTE_MS)
    inner.batches.clear()
    window = series().values[7:10]
    answer = recorded.predict_now(Series(series()), "ABC", 10 * MINUTE_MS)
    assert answer == inner.predict("ABC", window, 10 * MINUTE_MS)
    assert recorded.predict_now(Series(series()), "XYZ", 4 * MINUTE_MS).symbol == "XYZ"
    assert len(inner.batches) == 3


def test_probabilities_of_a_batch_come_from_the_predictor():
    inner = LastClose()
    recorded = RecordedPredictor(inner)
    windows = series().values[None, :3]
    np.testing.assert_array_equal(recorded.probabilities(windows), inner.probabilities(windows))
    assert (recorded.length, recorded.name) == (3, "last-close")
