import pytest

from triptych.domain import Prediction
from triptych.strategies.base import AbstractStrategy
from triptych.strategies.regime import Config, RegimeStrategy
from triptych.strategies.threshold import Config as ThresholdConfig
from triptych.strategies.threshold import ThresholdStrategy

NAMES = ("bull", "bear", "sideways", "high_volatility", "low_liquidity")


def decide(regimes, config=None, sell=0.1, buy=0.8, since=-1, held=0.0):
    inside: AbstractStrategy = ThresholdStrategy(ThresholdConfig())
    prediction = Prediction(
        symbol="A", time_ms=5, probability_sell=sell, probability_hold=1 - sell - buy, probability_buy=buy,
        regimes=tuple(regimes.get(name, 0.0) for name in NAMES) if regimes else (),
        since_switch=since,
    )  # fmt: skip
    return RegimeStrategy(inside, config or Config()).decide(prediction, held)


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


HOLD = Config(on_switch={"hold": 5})


@pytest.mark.parametrize(("since", "target"), [(-1, 1.0), (0, 0.0), (4, 0.0), (5, 1.0)])
def test_entries_are_held_back_while_an_alarm_is_young(since, target):
    assert decide({"bull": 1.0}, HOLD, since=since).target == target


def test_the_reason_says_what_was_held_back():
    signal = decide({"bull": 1.0}, Config(on_switch={"hold": 5, "keep": 0.25}), since=3)
    assert signal.target == 0.25
    assert signal.reason == (
        "long: buy probability 0.800 >= enter 0.45; a switch of the market was told 3 candles ago: entries held back, "
        "0.25 of 1.00"
    )


@pytest.mark.parametrize(
    ("held", "sell", "buy", "target"),
    [
        (0.6, 0.1, 0.8, 0.6),  # what is held stays, and does not grow
        (1.0, 0.1, 0.8, 1.0),
        (0.6, 0.3, 0.3, 0.0),  # leaving goes through
        (0.6, 0.8, 0.1, 0.0),  # turning leaves, and enters nothing
    ],
)
def test_what_is_held_stays_and_leaves_as_ever(held, sell, buy, target):
    assert decide({"bull": 1.0}, HOLD, sell=sell, buy=buy, since=0, held=held).target == target


def test_a_share_that_may_be_entered_does_not_creep_up_from_candle_to_candle():
    config, held = Config(on_switch={"hold": 9, "keep": 0.5}), 0.0
    for since in range(5):
        held = decide({"bull": 1.0}, config, since=since, held=held).target
        assert held == 0.5


def test_a_regime_may_make_a_held_wish_smaller_meanwhile():
    assert decide({"sideways": 1.0}, HOLD, since=2, held=1.0).target == 0.5
