import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triptych.domain import Foretold, Prediction
from triptych.domain.errors import OrderError
from triptych.strategies import Config, ThresholdStrategy, create_strategy


def decide(config, sell, hold, buy, current=0.0):
    prediction = Prediction(
        symbol="ABC", time_ms=7, probability_sell=sell, probability_hold=hold, probability_buy=buy
    )  # fmt: skip
    return ThresholdStrategy(config).decide(prediction, current)


@pytest.mark.parametrize(
    ("probabilities", "current", "target", "reason"),
    [
        ((0.20, 0.30, 0.50), 0, 1, "long: buy probability 0.500 >= enter 0.45"),
        ((0.20, 0.36, 0.44), 0, 0, "flat: buy probability 0.440, sell probability 0.200: none may be entered"),
        ((0.20, 0.36, 0.44), 1, 1, "keep long: probability 0.440 >= exit 0.35"),
        ((0.20, 0.46, 0.34), 1, 0, "leave long: probability 0.340 < exit 0.35"),
        ((0.50, 0.30, 0.20), 0, -1, "short: sell probability 0.500 >= enter 0.45"),
        ((0.36, 0.44, 0.20), -1, -1, "keep short: probability 0.360 >= exit 0.35"),
        ((0.50, 0.30, 0.20), 1, -1, "short: sell probability 0.500 >= enter 0.45"),
        (
            (0.46, 0.06, 0.48),
            0,
            0,
            "flat: buy probability 0.480, sell probability 0.460: buy leads sell by 0.020 < margin 0.05",
        ),
        (
            (0.48, 0.06, 0.46),
            0,
            0,
            "flat: buy probability 0.460, sell probability 0.480: sell leads buy by 0.020 < margin 0.05",
        ),
        ((math.nan, 0.5, 0.5), 1, 0, "flat: the prediction is not a number"),
    ],
)
def test_the_rules_in_their_order(probabilities, current, target, reason):
    signal = decide(Config(), *probabilities, current=current)
    assert (signal.target, signal.reason) == (target, reason)
    assert (signal.symbol, signal.time_ms) == ("ABC", 7)


def test_leaving_takes_less_than_entering_asked_for():
    targets, current = [], 0.0
    for buy in (0.40, 0.46, 0.40, 0.36, 0.34, 0.40, 0.45):
        current = decide(Config(), 0.3, 0.7 - buy, buy, current).target
        targets.append(current)
    assert targets == [0, 1, 1, 1, 0, 0, 1]


def test_the_edge_is_the_lead_over_the_opposite_class():
    config = Config(score="edge", enter=0.2, exit=0.0, margin=0.0)
    assert decide(config, 0.30, 0.20, 0.50).target == 1
    assert decide(config, 0.31, 0.20, 0.49).target == 0
    assert decide(config, 0.40, 0.20, 0.40, current=1.0).target == 1
    assert decide(config, 0.41, 0.20, 0.39, current=1.0).target == 0


def test_a_direction_that_is_not_allowed_is_neither_entered_nor_kept():
    config = Config(allow_short=False)
    assert decide(config, 0.8, 0.1, 0.1).target == 0
    signal = decide(config, 0.4, 0.35, 0.25, current=-1.0)
    assert (signal.target, signal.reason) == (0, "leave short: this direction is not allowed")
    assert decide(Config(allow_long=False), 0.1, 0.1, 0.8).target == 0


def test_hold_can_mean_flat():
    kept, left = Config(), Config(on_hold="flat")
    assert decide(kept, 0.2, 0.44, 0.36, current=1.0).target == 1
    signal = decide(left, 0.2, 0.44, 0.36, current=1.0)
    assert (signal.target, signal.reason) == (0, "leave long: hold 0.440 is the likeliest class")


def test_two_directions_that_may_be_entered_are_settled_by_the_higher_score():
    config = Config(enter=0.4, exit=0.3, margin=0.0)
    assert decide(config, 0.45, 0.10, 0.45).target == 0
    assert decide(config, 0.44, 0.10, 0.46).target == 1


def test_an_exit_above_enter_is_refused():
    with pytest.raises(ValidationError, match=r"exit \(0\.6\) must not be above enter \(0\.5\)"):
        Config(enter=0.5, exit=0.6)


def test_the_front_door_builds_the_strategy():
    assert isinstance(create_strategy(Config()), ThresholdStrategy)


@given(
    sell=st.floats(0, 1), buy=st.floats(0, 1), current=st.sampled_from([-1.0, 0.0, 1.0]),
    score=st.sampled_from(["probability", "edge"]),
)  # fmt: skip
def test_mirrored_probabilities_give_the_mirrored_target(sell, buy, current, score):
    config = Config(score=score)
    assert decide(config, sell, 0.3, buy, current).target == -decide(config, buy, 0.3, sell, -current).target


def foretelling(buy, current=0.0, **figures):
    """By a cost of 0.4 %, of which a position must promise twice."""
    kind = "size" if "size" in figures else "volatility"
    config = Config(expected_move=kind, cost_multiple=2.0, cost=0.004)
    told = Foretold(horizon=12, **figures) if figures else None
    prediction = Prediction(
        symbol="ABC", time_ms=7, foretold=told,
        probability_sell=0.7 - buy, probability_hold=0.3, probability_buy=buy,
    )  # fmt: skip
    return ThresholdStrategy(config).decide(prediction, current)


@pytest.mark.parametrize(
    ("buy", "current", "figures", "target", "reason"),
    [
        (0.60, 0, {"volatility": 0.02}, 1, "; expected move 1.000% by volatility, 0.800% asked for"),
        (0.60, 0, {"volatility": 0.01}, 0, "long is not worth its costs: expected move 0.500% by volatility, 0.800%"),
        (0.10, 0, {"volatility": 0.02}, -1, "; expected move 1.000% by volatility, 0.800% asked for"),
        (0.60, 0, {"size": 0.009}, 1, "; expected move 0.900% by size, 0.800% asked for"),
        (0.60, 0, {"size": -0.009}, 0, "long is not worth its costs: expected move -0.900% by size"),
        (0.10, 0, {"size": -0.009}, -1, "; expected move 0.900% by size, 0.800% asked for"),
        (0.60, 0, {}, 0, "long is not worth its costs: expected move 0.000% by volatility"),
        (0.60, 0, {"volatility": math.nan}, 0, "long is not worth its costs"),
        (0.60, 1, {"volatility": 0.001}, 1, "long: buy probability 0.600 >= enter 0.45"),  # held: costs are paid
        (0.60, -1, {"volatility": 0.001}, 0, "leave short: probability 0.100 < exit 0.35; long is not worth its costs"),
    ],
)
def test_a_position_is_opened_only_where_the_foretold_move_pays_its_costs(buy, current, figures, target, reason):
    signal = foretelling(buy, current, **figures)
    assert signal.target == target
    assert reason in signal.reason


def test_an_expected_move_without_costs_is_refused():
    with pytest.raises(OrderError, match="does not know its cost"):
        ThresholdStrategy(Config(expected_move="size"))
