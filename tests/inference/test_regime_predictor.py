from dataclasses import replace

import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.domain import Prediction
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import RegimeFilter
from triptych.inference.switch_model import SwitchModel


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
    seen = series().head(1800)
    return RegimeTeller(
        filter=RegimeFilter.fit([seen]), memory=60, switches=replace(SwitchModel.fit([seen]), threshold=0.8)
    )


def test_predictions_carry_the_regimes_of_their_close(fitted):
    predictor, one = RegimePredictor(Buyer(), fitted), series(700)
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
        assert now.since_switch == prediction.since_switch
    assert max(one.since_switch for one in made) >= 0


def test_while_the_history_is_short_the_regime_is_not_known(fitted):
    now = RegimePredictor(Buyer(), fitted).predict_now(View(series(299)), "MADE", 7)
    assert now == Prediction(
        symbol="MADE", time_ms=7, model="buyer", probability_sell=now.probability_sell,
        probability_hold=now.probability_hold, probability_buy=now.probability_buy,
    )  # fmt: skip


def test_without_an_answer_there_is_no_regime_either(fitted):
    assert RegimePredictor(Buyer(), fitted).predict_now(View(series(5)), "MADE", 7) is None


def test_a_card_brings_filter_and_switches_back(fitted, tmp_path):
    one = series(400)
    back = RegimePredictor(Buyer(), RegimeTeller.of_card(fitted.card(), tmp_path))
    ends = np.arange(310, 400)
    theirs, ours = back.regimes_over(one, ends), RegimePredictor(Buyer(), fitted).regimes_over(one, ends)
    np.testing.assert_array_equal(theirs.probability, ours.probability)
    np.testing.assert_array_equal(theirs.since_switch, ours.since_switch)
