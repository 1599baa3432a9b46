import numpy as np
import pytest
from tests.fakes.market import walk

from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.factors import FactorPredictor
from triptych.inference.inputs import Config, FactorRows

CONFIG = Config(names=("return_1", "rsi_14"), window=20, companions=("BBB",))
LENGTH = 5


class MeanOfLast(AbstractPredictor):
    """Probabilities from the means of the four columns, so that every row of the window counts."""

    def __init__(self):
        self.length, self.name, self.asked = LENGTH, "mean", []

    def probabilities(self, windows):
        self.asked.append(windows.shape)
        scores = windows.mean(axis=1)[:, :3] + windows.mean(axis=1)[:, 3:]
        exponents = np.exp(scores)
        return (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)


class View(AbstractView):
    def __init__(self, *series):
        self._series = {one.symbol: one for one in series}

    def history(self, symbol, length):
        one = self._series[symbol]
        return one.between(len(one) - length, len(one)) if len(one) >= length else None


@pytest.fixture
def series():
    return walk(600, seed=1), walk(600, seed=2, symbol="BBB")


@pytest.fixture
def predictor():
    return FactorPredictor(MeanOfLast(), FactorRows(CONFIG))


def test_the_last_candles_alone_say_what_the_whole_history_says(series, predictor):
    a, b = series
    assert predictor.length == FactorRows(CONFIG).warm_up + LENGTH
    ends = np.array([predictor.length - 1, 450, 599])
    whole = predictor.over(a, ends, {"BBB": b})
    for end, answer in zip(ends.tolist(), whole, strict=True):
        now = predictor.predict_now(View(a.head(end + 1), b.head(end + 1)), "AAA", 7)
        assert (now.symbol, now.model, now.time_ms) == ("AAA", "mean", 7)
        found = [now.probability_sell, now.probability_hold, now.probability_buy]
        np.testing.assert_allclose(found, answer, rtol=0, atol=1e-6)


def test_between_two_closes_of_longer_candles_the_last_answer_stands():
    a, b = walk(2400, seed=1), walk(2400, seed=2, symbol="BBB")
    predictor = FactorPredictor(MeanOfLast(), FactorRows(CONFIG.model_copy(update={"period": 4})))
    ends = np.arange(2389, 2396)  # candle 2391 and 2395 close longer ones
    whole = predictor.over(a, ends, {"BBB": b})
    assert np.flatnonzero(np.abs(np.diff(whole[:, 0])) > 0).tolist() == [1, 5]
    for end, answer in zip(ends.tolist(), whole, strict=True):
        now = predictor.predict_now(View(a.head(end + 1), b.head(end + 1)), "AAA", 7)
        np.testing.assert_allclose(now.probability_sell, answer[0], rtol=0, atol=1e-6)


def test_large_batches_are_cut_to_what_memory_holds(series, predictor, monkeypatch):
    a, b = series
    ends = np.arange(predictor.length - 1, 600)
    at_once = predictor.over(a, ends, {"BBB": b})
    monkeypatch.setattr("triptych.inference.factors.CHUNK_BYTES", 7 * 4 * LENGTH * 4)
    np.testing.assert_array_equal(predictor.over(a, ends, {"BBB": b}), at_once)


def test_where_a_companion_is_missing_there_is_no_prediction(series, predictor):
    a, b = series
    answers = predictor.over(a, np.array([450, 599]), {"BBB": b.head(500)})
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1]).all()
    assert predictor.predict_now(View(a, b.head(50)), "AAA", 7) is None
    assert predictor.predict_now(View(a, b.head(500)), "AAA", 7) is None


def test_a_window_that_is_not_full_is_none(series, predictor):
    a, b = series
    short = predictor.length - 1
    assert predictor.predict_now(View(a.head(short), b.head(short)), "AAA", 7) is None


def test_of_longer_candles_the_network_is_asked_once_a_picture():
    a, b = walk(2400, seed=1), walk(2400, seed=2, symbol="BBB")
    network = MeanOfLast()
    predictor = FactorPredictor(network, FactorRows(CONFIG.model_copy(update={"period": 4})))
    closes = {"AAA": 7}
    said = [predictor.predict_all(View(a.head(n), b.head(n)), closes)["AAA"] for n in range(2389, 2397)]
    assert len(network.asked) == 3  # at the start, and where candles 2391 and 2395 close longer ones
    ends = np.arange(2388, 2396)
    whole = predictor.over(a, ends, {"BBB": b})
    np.testing.assert_allclose([one.probability_sell for one in said], whole[:, 0], rtol=0, atol=1e-6)
