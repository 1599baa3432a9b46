import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from triptych.training.overlap import average_uniqueness


def test_three_labels_by_hand():
    # Candle:      1    2    3    4
    # label 0      x    x
    # label 1           x    x
    # label 2                     x     alive: 1 2 1 1
    found = average_uniqueness(np.array([0, 1, 3]), np.array([2, 3, 4]))
    assert_allclose(found, [(1 + 0.5) / 2, (0.5 + 1) / 2, 1.0])


def test_labels_on_every_candle_over_h_candles_count_one_in_h():
    start = np.arange(500)
    found = average_uniqueness(start, start + 8)
    assert_allclose(found[10:-10], 1 / 8)
    assert found.sum() == pytest.approx(500 / 8, rel=0.05)


def test_no_labels_no_weights():
    assert average_uniqueness(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).shape == (0,)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), min_size=1, max_size=25))
def test_equals_the_definition_candle_by_candle(spans):
    start = np.array([s for s, _ in spans])
    end = np.array([s + d for s, d in spans])
    expected = []
    for s, e in zip(start, end, strict=True):
        shares = [1 / np.sum((start < c) & (c <= end)) for c in range(s + 1, e + 1)]
        expected.append(np.mean(shares))
    assert_allclose(average_uniqueness(start, end), expected, rtol=1e-9)
