from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.models.channels import make_divisible


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (32.0, 32),
        (35.2, 32),
        (17.6, 16),
        (44.0, 48),
        (3.0, 8),
        (20.0, 24),
        (11.9, 16),
        (10.0, 16),
        (27.9, 32),
        (28.8, 32),
    ],
)
def test_channels_round_to_the_nearest_multiple_of_8_but_lose_at_most_a_tenth(value: float, expected: int) -> None:
    assert make_divisible(value) == expected


def test_v2_base_channels_may_lose_more_than_a_tenth() -> None:
    assert make_divisible(10.0) == 16
    assert make_divisible(10.0, round_limit=0.0) == 8


@given(st.floats(min_value=1.0, max_value=5000.0))
def test_rounded_channels_are_multiples_of_8_and_keep_nine_tenths(value: float) -> None:
    rounded = make_divisible(value)
    assert rounded % 8 == 0
    assert rounded >= 0.9 * value
    assert rounded <= max(8, 1.9 * value, value + 8)
