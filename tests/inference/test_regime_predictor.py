import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.domain import Prediction
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.regime_predictor import RegimePredictor, card_of
from triptych.inference.regimes import RegimeFilter


class Buyer(AbstractPredictor):
    length, name = 8, "buyer"

    def probabilities(self, windows):
        return np.tile(np.array([0.1, 0.2, 0.7], dtype=np.float32), (len(windows), 1))


class View(AbstractView):
    def __init__(self, one):
        self._one = one

    def history(self, symbol, length):
        return self._one.between(len(self._one) - length, len(self._one)) if len(self._one) >= length else None


@pytest.fixture(scope="module")
def fitted():
    return RegimeFilter.fit([series().head(1800)])


def test_predictions_carry_the_regimes_of_their_close(fitted):
    predictor, one = RegimePredictor(Buyer(), fitted, 60), series(700)
    assert predictor.length == 300
    ends = np.array([299, 400, 699])
    made = predictor.predictions_over(one, ends)
    for end, prediction in zip(ends.tolist(), made, strict=True):
        assert sum(prediction.regimes) == pytest.approx(1.0)
        now = predictor.predict_now(View(one.head(end + 1)), "MADE", int(one.close_time_ms[end]))
        assert (now.symbol, now.time_ms, now.probability_buy) == (
            "MADE",
            prediction.time_ms,
            prediction.probability_buy,
        )
        np.testing.assert_allclose(now.regimes, prediction.regimes, rtol=0, atol=1e-9)


def test_while_the_history_is_short_the_regime_is_not_known(fitted):
    now = RegimePredictor(Buyer(), fitted, 60).predict_now(View(series(299)), "MADE", 7)
    assert now == Prediction(
        symbol="MADE", time_ms=7, model="buyer", probability_sell=now.probability_sell,
        probability_hold=now.probability_hold, probability_buy=now.probability_buy,
    )  # fmt: skip


def test_without_an_answer_there_is_no_regime_either(fitted):
    assert RegimePredictor(Buyer(), fitted, 60).predict_now(View(series(5)), "MADE", 7) is None


def test_a_card_brings_the_filter_back(fitted):
    one = series(400)
    back = RegimePredictor.of_card(Buyer(), card_of(fitted, 60))
    ends = np.array([350])
    np.testing.assert_array_equal(
        back.regimes_over(one, ends), RegimePredictor(Buyer(), fitted, 60).regimes_over(one, ends)
    )
