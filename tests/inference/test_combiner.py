"""Votes joined by hand."""

import math

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.inference.combiner import BOTH, Combiner, agreed_direction, meta_inputs, side_of, stacking_inputs

QUIET = np.zeros((1, 2))


def votes(*rows):
    """One sample; a row a member: sell, hold, buy."""
    return np.array([rows], dtype=np.float64)


def combiner(method, members=("a", "b"), **options):
    return Combiner(method=method, members=members, regime_length=8, **options)


def test_agreement_takes_the_mean_and_allows_the_common_direction_only():
    found = combiner("agreement").combine(votes((0.1, 0.3, 0.6), (0.2, 0.3, 0.5)), QUIET)
    assert found.probabilities[0].tolist() == pytest.approx([0.15, 0.3, 0.55])
    assert found.allowed.tolist() == [1]


@pytest.mark.parametrize(
    ("said", "confidence", "allowed"),
    [
        (((0.5, 0.3, 0.2), (0.6, 0.3, 0.1)), 0.0, -1),
        (((0.5, 0.3, 0.2), (0.1, 0.3, 0.6)), 0.0, 0),
        (((0.5, 0.3, 0.2), (0.3, 0.6, 0.1)), 0.0, 0),
        (((0.3, 0.6, 0.1), (0.2, 0.7, 0.1)), 0.0, 0),  # they agree that nothing is to be done
        (((0.1, 0.3, 0.6), (0.2, 0.3, 0.5)), 0.5, 1),
        (((0.1, 0.3, 0.6), (0.2, 0.31, 0.49)), 0.5, 0),  # one is not sure enough
        (((0.1, 0.2, 0.7), (0.1, 0.2, 0.7), (0.4, 0.3, 0.3)), 0.0, 0),
    ],
)
def test_all_must_agree_and_each_must_be_sure(said, confidence, allowed):
    assert agreed_direction(votes(*said), confidence).tolist() == [allowed]


def test_a_vote_is_the_weighted_mean():
    found = combiner("vote", weights=(0.75, 0.25)).combine(votes((0.1, 0.3, 0.6), (0.5, 0.3, 0.2)), QUIET)
    assert found.probabilities[0].tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert found.allowed.tolist() == [BOTH]


def test_stacking_regresses_on_log_odds_agreement_and_regime():
    said = votes((0.2, 0.2, 0.6), (0.25, 0.25, 0.5))
    inputs = stacking_inputs(said, np.array([[0.3, -2.0]]))
    assert inputs[0].tolist() == pytest.approx([0.0, math.log(3), 0.0, math.log(2), 0.0, 1.0, 0.3, -2.0])


def test_stacking_is_a_softmax_of_its_scores():
    zeros = (0.0,) * 8
    fitted = combiner(
        "stacking", mean=zeros, scale=(1.0,) * 8,
        coefficients=(zeros, zeros, (0.0, 1.0, *(0.0,) * 6)), intercepts=(0.0, 0.0, 0.0),
    )  # fmt: skip
    found = fitted.combine(votes((0.2, 0.2, 0.6), (0.25, 0.25, 0.5)), QUIET)
    assert found.probabilities[0].tolist() == pytest.approx([0.2, 0.2, 0.6])  # log 3 in one score: 1 : 1 : 3


def test_meta_labelling_sees_everything_from_the_side_that_is_judged():
    said = votes((0.6, 0.2, 0.2), (0.5, 0.25, 0.25))
    assert side_of(said[:, 0]).tolist() == [-1]
    inputs = meta_inputs(said, np.array([[0.3, -2.0]]), np.array([-1]))
    expected = [math.log(3), math.log(2), math.log(3), math.log(2), 1.0, 0.3, 2.0]
    assert inputs[0].tolist() == pytest.approx(expected)
    mirrored = meta_inputs(said[:, :, ::-1], np.array([[0.3, 2.0]]), np.array([1]))
    assert mirrored[0].tolist() == pytest.approx(expected)


def test_meta_labelling_gives_its_probability_to_the_side_and_never_allows_the_other():
    fitted = combiner("meta", mean=(0.0,) * 7, scale=(1.0,) * 7, coefficients=((0.0,) * 7,), intercepts=(math.log(4),))
    found = fitted.combine(votes((0.6, 0.3, 0.1), (0.1, 0.1, 0.8)), QUIET)
    # right with 0.8; the remaining 0.2 as the first member shares it: hold 0.3 to buy 0.1
    assert found.probabilities[0].tolist() == pytest.approx([0.8, 0.15, 0.05])
    assert found.allowed.tolist() == [-1]


def test_a_side_member_without_a_side_allows_nothing():
    fitted = combiner("meta", mean=(0.0,) * 7, scale=(1.0,) * 7, coefficients=((0.0,) * 7,), intercepts=(0.0,))
    found = fitted.combine(votes((0.3, 0.4, 0.3), (0.1, 0.1, 0.8)), QUIET)
    assert found.allowed.tolist() == [0]
    assert found.probabilities.sum() == pytest.approx(1.0)


def test_votes_of_another_number_of_members_are_refused():
    with pytest.raises(DataError) as caught:
        combiner("vote", weights=(0.5, 0.5)).combine(votes((0.2, 0.3, 0.5)), QUIET)
    assert str(caught.value) == "Expected votes of shape (n, 2, 3), was (1, 1, 3)."


def test_a_combiner_comes_back_from_its_json():
    fitted = combiner("meta", mean=(0.1,) * 7, scale=(1.0,) * 7, coefficients=((0.3,) * 7,), intercepts=(0.2,))
    assert Combiner.model_validate_json(fitted.model_dump_json()) == fitted
