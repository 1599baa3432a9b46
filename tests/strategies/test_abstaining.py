import numpy as np
import pytest

from triptych.domain import Prediction
from triptych.strategies import Config, ThresholdStrategy
from triptych.strategies.abstaining import why_nothing_was_entered

ROWS = np.array([[0.33, 0.34, 0.33], [0.30, 0.36, 0.34], [0.31, 0.36, 0.33], [np.nan, 0.5, 0.5]])


def why(config, rows=ROWS, reasons=None):
    return why_nothing_was_entered(config, rows, reasons or ["flat"] * len(rows))


def test_the_largest_score_of_what_is_allowed_is_told_where_it_never_sufficed():
    assert why(Config(enter=0.5)) == (
        "The largest probability of a direction was 0.340, to enter it takes 0.5; hold was the likeliest class in 100% "
        "of 3 decisions."
    )
    assert why(Config(enter=0.5, allow_long=False)).startswith("The largest probability of short was 0.330, to enter")
    assert why(Config(enter=0.5, score="edge", exit=0.0)).startswith("The largest edge of a direction was 0.040, to")


def test_the_margin_is_told_where_the_score_sufficed_and_the_lead_did_not():
    assert why(Config(enter=0.001, exit=0.0)) == (
        "The probability of a direction was high enough to enter (0.001) in 3 of 3 decisions, but it led the opposite "
        "one by 0.040 at most, and strategy.margin asks for 0.05; hold was the likeliest class in 100% of 3 decisions."
    )
    found = why(Config(enter=0.335, exit=0.0, allow_short=False))
    assert found.startswith("The probability of long was high enough to enter (0.335) in 1 of 3 decisions, but it led")


def test_what_else_stood_against_it_is_told_in_the_words_of_the_decisions():
    reasons = [
        "flat: none may be entered", "flat: the members do not allow long (a 0.34); votes: x 1",
        "flat: the members do not allow long (a 0.33); votes: y 2", "flat: not a number",
    ]  # fmt: skip
    assert why(Config(enter=0.001, exit=0.0, margin=0.01), reasons=reasons) == (
        "Its thresholds would have let a direction be entered in 2 of 3 decisions. Most often (2 times): flat: the "
        "members do not allow long (a 0.34)."
    )


def test_there_is_nothing_to_say_of_no_decisions_and_no_direction_may_be_allowed():
    assert why(Config(), np.full((1, 3), np.nan)) == ""
    assert why(Config(), np.zeros((0, 3))) == ""
    assert why(Config(allow_long=False, allow_short=False)) == (
        "No direction may be entered: strategy.allow_long and strategy.allow_short are both false."
    )


@pytest.mark.parametrize("config", [Config(), Config(enter=0.001, exit=0.0), Config(enter=0.3, exit=0.2, margin=0.01)])
def test_it_agrees_with_the_strategy_on_whether_the_thresholds_let_anything_through(config):
    decided = [
        ThresholdStrategy(config).decide(
            Prediction(symbol="A", time_ms=0, probability_sell=s, probability_hold=h, probability_buy=b), 0.0
        )
        for s, h, b in ROWS.tolist()
    ]
    through = sum(one.target != 0 for one in decided)
    words = why(config, reasons=[one.reason for one in decided])
    assert words.startswith(f"Its thresholds would have let a direction be entered in {through} of 3") == (through > 0)
