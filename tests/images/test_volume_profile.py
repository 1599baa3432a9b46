from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.images import create_encoding

OPTIONS = [
    {"style": style, "split": split, "height": height, "width": width}
    for style in ("bars", "heat")
    for split in (False, True)
    for height, width in ((64, 64), (17, 40), (30, 23))
]

# A rises through all four rows with 8, B falls inside the second row from above with 2.
RISING = [100.0, 104.0, 100.0, 104.0, 8.0]
FALLING = [103.0, 103.0, 102.0, 102.0, 2.0]


def window_of(*candles: list[float]) -> torch.Tensor:
    return torch.tensor([candles], dtype=torch.float64)


def both_paths(window: torch.Tensor, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The image by the compiled kernel and by tensor operations, which a window that needs a gradient gets."""
    encoding = create_encoding("volume_profile", window.shape[1], **options)
    return encoding(window), encoding(window.detach().clone().requires_grad_()).detach()


def assert_images(images: tuple[torch.Tensor, torch.Tensor], expected: object) -> None:
    for image in images:
        np.testing.assert_allclose(image[0], expected, rtol=0, atol=1e-12)


def test_a_bar_is_as_long_as_the_volume_of_its_row_as_a_share_of_the_fullest():
    images = both_paths(window_of(RISING, FALLING), height=4, width=4)
    assert_images(images, [[[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]])


def test_the_end_of_a_bar_colours_the_share_of_the_pixel_that_it_covers():
    # Rows hold 2, 4, 2, 2 parts: a half of three pixels is one and a half.
    images = both_paths(window_of(RISING, FALLING), height=4, width=3)
    assert_images(images, [[[1, 0.5, 0], [1, 1, 1], [1, 0.5, 0], [1, 0.5, 0]]])


def test_heat_shows_the_profile_as_it_had_grown_at_every_candle():
    images = both_paths(window_of(RISING, FALLING), height=4, width=2, style="heat")
    assert_images(images, [[[0.5, 0.5], [0.5, 1.0], [0.5, 0.5], [0.5, 0.5]]])


def test_heat_gives_candles_the_columns_that_the_candlestick_chart_gives_them():
    images = both_paths(window_of(FALLING, RISING, FALLING), height=4, width=5, style="heat")
    # Columns show candles 0 0 1 1 2; the second row holds 2, 4 and 6 of its 6.
    assert_images(tuple(image[:, :, 1] for image in images), [[2 / 6, 2 / 6, 4 / 6, 4 / 6, 1]])


def test_heat_averages_candles_where_there_are_fewer_columns():
    images = both_paths(window_of(FALLING, FALLING, FALLING, RISING), height=4, width=2, style="heat")
    # The second row grows 2, 4, 6, 8 of its 8; the first only with the last candle, to 2.
    assert_images(tuple(image[:, :, :2] for image in images), [[[0, 1 / 8], [3 / 8, 7 / 8]]])


def test_split_puts_falling_volume_behind_rising_volume():
    images = both_paths(window_of(RISING, FALLING), height=4, width=4, split=True)
    rising = [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    falling = [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert_images(images, [rising, falling])


def test_a_candle_without_a_body_counts_half_for_either_side():
    undecided = [102.0, 104.0, 100.0, 102.0, 5.0]
    images = both_paths(window_of(undecided, undecided), height=4, width=4, split=True)
    assert_images(images, [[[1, 1, 0, 0]] * 4, [[0, 0, 1, 1]] * 4])


def test_volume_is_spread_by_the_share_of_a_row_that_a_candle_covers():
    # 3 over a row and a half from 101 to 102.5 is 2 a row; the wide candle trades nothing.
    wide = [100.0, 104.0, 100.0, 104.0, 0.0]
    images = both_paths(window_of(wide, [101.0, 102.5, 101.0, 102.5, 3.0]), height=4, width=2)
    assert_images(images, [[[0, 0], [1, 0], [1, 1], [0, 0]]])


@pytest.mark.parametrize(("price", "expected"), [(100.0, [0, 0, 0, 1]), (104.0, [1, 0, 0, 0]), (102.5, [0, 1, 0, 0])])
def test_a_candle_of_one_price_lies_in_its_row(price, expected):
    wide = [100.0, 104.0, 100.0, 104.0, 0.0]
    images = both_paths(window_of(wide, [price, price, price, price, 7.0]), height=4, width=2)
    assert_images(images, [[[value, value] for value in expected]])


def test_a_thin_candle_gives_each_row_what_its_range_holds_of_it():
    wide = [100.0, 104.0, 100.0, 104.0, 0.0]
    thin = [101.9, 102.1, 101.9, 102.1, 4.0]  # a twentieth of a row, half of it on either side of an edge
    whole = [103.2, 103.3, 103.2, 103.3, 4.0]  # less than a row, in one row alone
    images = both_paths(window_of(wide, thin, whole), height=4, width=4)
    assert_images(images, [[[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]])


@pytest.mark.parametrize("options", OPTIONS)
def test_without_volume_the_image_is_empty(walk, options):
    window = walk(2, 30)
    window[..., 4] = 0.0
    for image in both_paths(window, **options):
        assert torch.equal(image, torch.zeros_like(image))


def test_a_window_of_one_price_has_all_its_volume_in_the_middle():
    still = [100.0, 100.0, 100.0, 100.0, 3.0]
    assert_images(both_paths(window_of(still, still), height=5, width=2), [[[0, 0], [0, 0], [1, 1], [0, 0], [0, 0]]])


@pytest.mark.parametrize("style", ["bars", "heat"])
def test_the_two_sides_add_up_to_the_whole(walk, style):
    window = walk(3, 50)
    for whole, sides in zip(both_paths(window, style=style), both_paths(window, style=style, split=True), strict=True):
        assert torch.allclose(sides.sum(dim=1, keepdim=True), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-11)])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_kernel_draws_what_the_tensor_operations_draw(walk, options, dtype, tolerance):
    drawn, composed = both_paths(walk(5, 40).to(dtype), **options)
    assert torch.allclose(drawn, composed, rtol=0, atol=tolerance)


@settings(max_examples=100, deadline=None)
@given(
    candles=st.lists(st.tuples(*[st.integers(0, 6)] * 4, st.integers(0, 9)), min_size=2, max_size=12),
    height=st.integers(2, 12),
    style=st.sampled_from(["bars", "heat"]),
)
def test_the_profile_is_that_of_the_definition_whatever_the_candles(candles, height, style):
    window = window_of(*[[a, max(a, b, c, d), min(a, b, c, d), d, volume] for a, b, c, d, volume in candles])
    window[..., :4] += 50
    reference = _reference(window[0].numpy(), height)
    assert reference.sum() == pytest.approx(float(window[..., 4].sum()))
    for image in both_paths(window, height=height, width=12, style=style):
        assert image.min() >= 0
        assert image.max() <= 1 + 1e-12
        profile = image[0, 0].sum(dim=1) / 12 if style == "bars" else image[0, 0, :, -1]
        np.testing.assert_allclose(profile, reference / max(reference.max(), 1e-300), rtol=0, atol=1e-9)


def _reference(window: np.ndarray, height: int) -> np.ndarray:
    """The volume of every row, row by row and candle by candle, from the definition."""
    low, high = window[:, 2].min(), window[:, 1].max()
    rows = np.zeros(height)
    for _, top, bottom, _, volume in window:
        a = (bottom - low) / (high - low) * height if high > low else height / 2
        b = (top - low) / (high - low) * height if high > low else height / 2
        if b == a:  # a price: in its row, or half in each of two that meet there
            below = rows[::-1]
            edge = round(a)
            if abs(a - edge) < 1e-9 and 0 < edge < height:
                below[edge - 1 : edge + 1] += volume / 2
            else:
                below[min(int(a + 1e-9), height - 1)] += volume
            continue
        for row in range(height):
            shared = max(0.0, min(b, row + 1) - max(a, row))
            rows[height - 1 - row] += volume * shared / (b - a)
    return rows


def test_gradients_are_those_of_finite_differences():
    window = window_of(
        [100.1, 103.9, 99.3, 102.2, 3.0], [102.2, 105.3, 101.7, 104.1, 5.0], [104.1, 104.6, 102.9, 103.1, 2.0]
    )
    for style in ("bars", "heat"):
        encoding = create_encoding("volume_profile", 3, height=7, width=4, style=style, split=True)
        assert torch.autograd.gradcheck(encoding, (window.clone().requires_grad_(),), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_profile_in_double_precision_stays_inside_its_range(dtype, walk):
    encoding = create_encoding("volume_profile", 60, style="heat", width=37)
    for seed in range(5):
        image = encoding(walk(40, 60, seed=seed).to(dtype))
        assert image.max() <= 1
        assert image.min() >= 0
