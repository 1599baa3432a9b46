import numpy as np
import pytest
from pydantic import ValidationError

from triptych.inference.rules import Config, RulePredictor


def window(closes):
    return np.repeat(np.array(closes, dtype=np.float64)[None, :, None], 5, axis=2)


@pytest.mark.parametrize(("closes", "wanted"), [
    ([1, 2, 3, 4], [0.2, 0.2, 0.6]),
    ([4, 3, 2, 1], [0.6, 0.2, 0.2]),
    ([2, 2, 2, 2], [0.2, 0.6, 0.2]),
    ([2, 9, 9, 3], [0.2, 0.6, 0.2]),  # above the first close, and yet the fast mean lies below the slow one
])  # fmt: skip
def test_averages_and_momentum_must_agree(closes, wanted):
    rule = RulePredictor(Config(fast=1, slow=4), longest=100)
    assert rule.probabilities(window(closes))[0].tolist() == pytest.approx(wanted)


def test_it_reads_no_more_than_the_first_model_and_nothing_from_what_is_not_finite():
    rule = RulePredictor(Config(), longest=3)
    assert rule.length == 3
    assert np.isnan(rule.probabilities(window([1, np.nan, 2]))).all()


def test_a_fast_average_is_shorter_than_a_slow_one():
    with pytest.raises(ValidationError, match="fast must be smaller than slow"):
        Config(fast=5, slow=5)
