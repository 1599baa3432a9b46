"""What the members of a consensus add to its answer, against sums worked out by hand."""

import math

import numpy as np
import pytest

from triptych.inference.combiner import Combiner
from triptych.inference.explain import explain_votes

NAMES = ("charts", "factors")
VOTES = np.array([[0.2, 0.3, 0.5], [0.1, 0.6, 0.3]])
REGIME = np.array([0.4, -1.0])


def combiner(method, **learned):
    return Combiner(method=method, members=NAMES, regime_length=24, **learned)


def test_of_a_vote_each_member_adds_its_weight_times_its_probability():
    found = explain_votes(combiner("vote", weights=(0.75, 0.25)), VOTES, REGIME, "buy")
    assert [(one.source, one.value) for one in found.contributions] == [("charts", 0.5), ("factors", 0.3)]
    assert [one.adds for one in found.contributions] == pytest.approx([0.375, 0.075])
    assert found.quantity == "probability of buy"
    assert found.total == pytest.approx(found.probabilities[2]) == pytest.approx(0.45)
    assert found.weights == (0.75, 0.25)
    assert found.allowed == 2


def test_of_an_agreement_all_weigh_the_same_and_dissent_allows_nothing():
    found = explain_votes(combiner("agreement"), VOTES, REGIME, "hold")
    assert found.weights == (0.5, 0.5)
    assert found.total == pytest.approx(0.45)
    assert found.allowed == 0


def test_of_stacking_all_inputs_add_up_to_the_log_odds_of_the_class_against_its_likeliest_rival():
    # Inputs: log(2/3), log(5/3) of charts, log(1/6), log(1/2) of factors, two agreements, volatility, trend.
    stacked = combiner(
        "stacking",
        mean=(0.0,) * 6 + (0.2, 0.0),
        scale=(1.0,) * 6 + (1.0, 2.0),
        coefficients=((0.0,) * 8, (0.0,) * 8, (0.5, 1.0, 0.0, 2.0, 0.3, 0.3, 0.5, 0.8)),
        intercepts=(0.0, 0.5, 0.25),
    )
    found = explain_votes(stacked, VOTES, REGIME, "buy")
    assert found.quantity == "log-odds of buy against hold"
    added = {(one.source, one.reads): one.adds for one in found.contributions}
    assert added == pytest.approx(
        {
            ("charts", "log-odds of sell against hold"): 0.5 * math.log(2 / 3),
            ("charts", "log-odds of buy against hold"): math.log(5 / 3),
            ("factors", "log-odds of sell against hold"): 0.0,
            ("factors", "log-odds of buy against hold"): 2 * math.log(1 / 2),
            ("agreement", "all members say sell"): 0.0,
            ("agreement", "all members say buy"): 0.0,
            ("volatility", "volatility"): 0.5 * (0.4 - 0.2),
            ("trend", "trend"): 0.8 * -1.0 / 2.0,
            ("what is usual", "mean inputs"): 0.25 - 0.5,
        }
    )
    assert found.of("charts") == pytest.approx(0.5 * math.log(2 / 3) + math.log(5 / 3))
    assert found.total == pytest.approx(math.log(found.probabilities[2] / found.probabilities[1]))
    assert found.weights == ()


@pytest.mark.parametrize(("side", "total_of"), [("buy", 2), ("sell", 0)])
def test_of_meta_labelling_all_inputs_add_up_to_the_log_odds_that_the_side_is_right(side, total_of):
    votes = VOTES if side == "buy" else VOTES[:, ::-1]
    judged = combiner(
        "meta", mean=(0.0,) * 7, scale=(1.0,) * 7,
        coefficients=((1.0, -0.5, 0.25, 0.0, 1.0, -2.0, 0.5),), intercepts=(-0.1,),
    )  # fmt: skip
    found = explain_votes(judged, votes, REGIME, "hold")
    assert found.target == side
    assert found.quantity == f"log-odds that {side} is right after costs"
    right = found.probabilities[total_of]
    assert found.total == pytest.approx(math.log(right / (1.0 - right)))
    # log(0.5 / 0.2) of charts, log(0.3 / 0.1) of factors against the other side; log(0.5 / 0.3) of charts against hold.
    assert found.of("charts") == pytest.approx(math.log(2.5) + 0.25 * math.log(5 / 3))
    assert found.of("factors") == pytest.approx(-0.5 * math.log(3))
    trend = -0.5 if side == "buy" else 0.5
    assert found.of("trend") == pytest.approx(trend)
    lowered = (
        ["volatility", "factors", "trend", "what is usual"]
        if side == "buy"
        else ["volatility", "factors", "what is usual"]
    )
    assert [one.source for one in found.lowered_by] == lowered
    assert [one.source for one in found.contributions] == [
        "charts", "charts", "factors", "factors", "agreement", "volatility", "trend", "what is usual",
    ]  # fmt: skip
