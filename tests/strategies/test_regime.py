import pytest

from triptych.domain import Prediction
from triptych.strategies.base import AbstractStrategy
from triptych.strategies.regime import Config, RegimeStrategy
from triptych.strategies.threshold import Config as ThresholdConfig
from triptych.strategies.threshold import ThresholdStrategy

NAMES = ("bull", "bear", "sideways", "high_volatility", "low_liquidity")


def decide(regimes, config=None, sell=0.1, buy=0.8):
    inside: AbstractStrategy = ThresholdStrategy(ThresholdConfig())
    prediction = Prediction(
        symbol="A", time_ms=5, probability_sell=sell, probability_hold=1 - sell - buy, probability_buy=buy,
        regimes=tuple(regimes.get(name, 0.0) for name in NAMES) if regimes else (),
    )  # fmt: skip
    return RegimeStrategy(inside, config or Config()).decide(prediction, 0.0)


def test_the_share_is_the_mean_over_the_regimes():
    signal = decide({"bull": 0.5, "bear": 0.0, "sideways": 0.25, "high_volatility": 0.0, "low_liquidity": 0.25})
    assert signal.target == 0.625
    assert signal.reason == ("long: buy probability 0.800 >= enter 0.45; bull is the likeliest regime: 0.62 of it")


def test_in_a_regime_that_keeps_all_the_wish_stays_as_it_is():
    assert decide({"bull": 1.0}).reason == "long: buy probability 0.800 >= enter 0.45"


def test_against_the_trend_can_be_forbidden():
    forbid = Config(against="forbid")
    assert decide({"bear": 0.6, "bull": 0.4}, forbid).target == 0.0
    assert decide({"bear": 0.6, "bull": 0.4}, forbid, sell=0.8, buy=0.1).target == -1.0


def test_without_a_known_regime_the_share_is_the_one_of_the_unknown():
    assert decide({}).target == 0.0
    assert decide({}, Config(unknown=0.5)).target == 0.5
    assert decide({"bull": float("nan")}, Config(unknown=0.5)).target == 0.5


def test_a_wish_for_nothing_stays_nothing():
    assert decide({"bull": 1.0}, sell=0.3, buy=0.3).target == 0.0


def test_an_unknown_regime_in_the_settings_is_refused():
    with pytest.raises(ValueError, match="boom"):
        Config(keep={"boom": 1.0})
