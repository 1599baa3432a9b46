from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from triptych.images._geometry import (
    Areas,
    Line,
    bars,
    coverage,
    moving_average,
    positions,
    row_centres,
    stroke,
    volumes,
)


def overlap(top: float, bottom: float, row: int) -> float:
    """Length of the piece of a stroke inside one row of pixels: the plain reference."""
    return max(0.0, min(bottom, row + 1) - max(top, row))


@given(st.floats(0, 10), st.floats(1, 10))
def test_coverage_is_the_share_of_each_pixel_between_the_ends_of_the_stroke(top, length):
    middle, half = torch.tensor([[[top + length / 2]], [[length / 2]]], dtype=torch.float64)
    shares = coverage(middle, half, row_centres(12, middle))[0, :, 0]
    assert np.allclose(shares.numpy(), [overlap(top, top + length, row) for row in range(12)], rtol=0, atol=1e-9)


def test_coverage_is_scaled_by_strength_and_empty_where_half_is_below_zero():
    middle, half = torch.tensor([[1.5, 1.5]]), torch.tensor([[1.0, -0.5]])
    shares = coverage(middle, half, row_centres(4, middle), strength=0.5)[0]
    assert torch.allclose(shares, torch.tensor([[0.25, 0], [0.5, 0], [0.25, 0], [0, 0]]))


@given(st.floats(0, 5))
def test_bars_rise_from_the_foot_of_their_area(size):
    shares = bars(torch.tensor([[size]], dtype=torch.float64), 5)[0, :, 0]
    assert np.allclose(shares.numpy(), [overlap(5 - size, 5, row) for row in range(5)], rtol=0, atol=1e-9)


@given(st.floats(0, 8), st.floats(0, 8))
def test_strokes_are_at_least_one_pixel_long_and_stay_inside_the_area(a, b):
    top, bottom = torch.tensor(sorted([a, b]), dtype=torch.float64)
    middle, half = stroke(top, bottom, 8)
    assert half >= 0.5
    assert middle - half >= -1e-9
    assert middle + half <= 8 + 1e-9
    if bottom - top >= 1:
        assert middle - half == pytest.approx(float(top), abs=1e-9)
        assert middle + half == pytest.approx(float(bottom), abs=1e-9)


def test_positions_run_from_0_at_the_lowest_low_to_1_at_the_highest_high():
    window = torch.tensor([[[12.0, 18, 10, 14, 1], [14.0, 20, 12, 15, 1]]])
    assert torch.allclose(positions(window), torch.tensor([[[0.2, 0.8, 0.0, 0.4], [0.4, 1.0, 0.2, 0.5]]]))


def test_volumes_are_shares_of_the_largest_and_0_when_nothing_was_traded():
    window = torch.zeros(2, 3, 5)
    window[0, :, 4] = torch.tensor([1.0, 4.0, 2.0])
    assert torch.equal(volumes(window), torch.tensor([[0.25, 1.0, 0.5], [0.0, 0.0, 0.0]]))


def test_moving_average_holds_only_full_periods():
    assert torch.allclose(moving_average(torch.tensor([[1.0, 3, 5, 7]]), 3), torch.tensor([[3.0, 5.0]]))


def test_volume_takes_the_lower_fifth_below_one_empty_row():
    assert Areas.divide(64, with_volume=True) == Areas(price=51, volume=12, height=64)
    assert Areas.divide(64, with_volume=False) == Areas(price=64, volume=0, height=64)


def test_line_runs_straight_between_the_middles_of_two_candles():
    line = Line(torch.tensor([1.5, 4.5], dtype=torch.float64), 6)
    highest, lowest = line(torch.tensor([[10.0, 4.0]]))
    # It falls by 2 rows a column; the first and the last column hold half a column of it.
    assert torch.allclose(highest[0, 1:5], torch.tensor([9.0, 7.0, 5.0, 4.0]))
    assert torch.allclose(lowest[0, 1:5], torch.tensor([10.0, 9.0, 7.0, 5.0]))
    half = line.only_drawn(torch.ones(1, 6))
    assert torch.equal(half, torch.tensor([[-0.5, 1, 1, 1, 1, -0.5]]))


@pytest.mark.parametrize("centre", [2.0, 2.5])
def test_line_through_a_single_candle_is_one_column(centre):
    line = Line(torch.tensor([centre], dtype=torch.float64), 5)
    highest, lowest = line(torch.tensor([[3.0]]))
    assert torch.equal(highest, lowest)
    assert torch.equal(line.only_drawn(torch.ones(1, 5)), torch.tensor([[-0.5, -0.5, 1, -0.5, -0.5]]))
