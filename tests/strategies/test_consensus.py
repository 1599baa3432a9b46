import math

import pytest

from triptych.domain import Prediction, Vote
from triptych.strategies import Config as ThresholdConfig
from triptych.strategies import ConsensusStrategy, ThresholdStrategy, create_strategy
from triptych.strategies.consensus import Config, bet_size

VOTES = (
    Vote(model="patterns", probability_sell=0.2, probability_hold=0.2, probability_buy=0.6),
    Vote(model="indicators", probability_sell=0.1, probability_hold=0.5, probability_buy=0.4),
)


def said(sell, hold, buy, allowed=None):
    return Prediction(
        symbol="ABC", time_ms=7, probability_sell=sell, probability_hold=hold, probability_buy=buy, votes=VOTES,
        allowed=allowed,
    )  # fmt: skip


def decide(prediction, current=0.0, **options):
    signal = create_strategy(ThresholdConfig(), Config(**options)).decide(prediction, current)
    return signal.target, signal.reason


def test_every_vote_stands_in_the_reason():
    assert decide(said(0.1, 0.2, 0.7)) == (
        1.0,
        "long: buy probability 0.700 >= enter 0.45; votes: patterns buy 0.600, indicators hold 0.500",
    )


@pytest.mark.parametrize("allowed", [0, -1])
def test_a_direction_that_is_not_allowed_is_not_entered(allowed):
    assert decide(said(0.1, 0.2, 0.7, allowed)) == (
        0.0,
        "flat: the members do not allow long (long: buy probability 0.700 >= enter 0.45); votes: patterns buy 0.600, "
        "indicators hold 0.500",
    )


def test_an_allowed_direction_is_entered_and_a_forbidden_turn_leaves():
    assert decide(said(0.1, 0.2, 0.7, 1))[0] == 1.0
    assert decide(said(0.7, 0.2, 0.1, 0), current=1.0)[0] == 0.0
    assert decide(said(0.7, 0.2, 0.1, -1), current=1.0)[0] == -1.0


@pytest.mark.parametrize(("on_dissent", "target"), [("keep", 1.0), ("flat", 0.0)])
def test_what_is_held_is_kept_or_left_when_the_members_fall_out(on_dissent, target):
    assert decide(said(0.2, 0.4, 0.4, 0), current=1.0, on_dissent=on_dissent)[0] == target
    assert decide(said(0.2, 0.4, 0.4, 1), current=1.0, on_dissent=on_dissent)[0] == 1.0


def test_the_size_of_a_bet_follows_its_probability():
    assert bet_size(0.5) == bet_size(0.2) == 0.0
    assert bet_size(1.0) == 1.0
    # z = 0.1 / sqrt(0.24) = 0.204124; 2 N(z) - 1 = erf(z / sqrt 2)
    assert bet_size(0.6) == pytest.approx(0.1617431, abs=1e-6)
    target, reason = decide(said(0.6, 0.3, 0.1), size="probability")
    assert target == pytest.approx(-0.1617431, abs=1e-6)
    assert "; 0.16 of the full size" in reason


def test_a_part_of_a_position_is_held_like_a_whole_one():
    target, _ = decide(said(0.2, 0.44, 0.36), current=0.1, size="full")
    assert target == 1.0  # the thresholds keep it; the size is that of now


def test_an_unusable_prediction_is_flat():
    assert decide(said(math.nan, 0.2, 0.7))[0] == 0.0


def test_one_model_needs_no_consensus():
    assert isinstance(create_strategy(ThresholdConfig()), ThresholdStrategy)
    assert isinstance(create_strategy(ThresholdConfig(), Config()), ConsensusStrategy)
