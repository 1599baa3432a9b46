from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding
from triptych.images.candlestick import Columns

UP, DOWN, WHITE = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0])
PURE = {"up_color": "#00ff00", "down_color": "#ff0000"}


def close(pixels: np.ndarray, expected: np.ndarray | float) -> bool:
    return np.allclose(pixels, expected, rtol=0, atol=1e-5)


def column_of(image: torch.Tensor, candle: int, slot: int) -> np.ndarray:
    """Pixels of a column that shows a candle's wick, shape (height, 3)."""
    return image[0, :, :, candle * slot + slot // 2].T.numpy()


def test_a_rising_candle_shows_its_body_between_open_and_close_and_dimmer_wicks_to_high_and_low():
    # 32 rows without volume: one row is 1.0 of price. Slots of 16 columns, bodies of 12.
    window = torch.tensor([[[104.0, 132, 100, 120, 1], [116.0, 128, 104, 112, 1]]])
    image = create_encoding("candlestick", 2, height=32, width=32, volume=False, **PURE)(window)
    rising = column_of(image, 0, 16)
    assert close(rising[:12], 0.6 * UP)  # 132 down to 120
    assert close(rising[12:28], UP)  # 120 down to 104
    assert close(rising[28:], 0.6 * UP)  # 104 down to 100
    falling = column_of(image, 1, 16)
    assert close(falling[:4], 0)
    assert close(falling[4:16], 0.6 * DOWN)
    assert close(falling[16:20], DOWN)
    assert close(falling[20:28], 0.6 * DOWN)
    assert close(falling[28:], 0)
    edge = image[0, :, :, 2].T.numpy()  # a column of the first body beside its wick
    assert close(edge[:12], 0)
    assert close(edge[12:28], UP)


def test_a_body_that_ends_inside_a_pixel_covers_it_in_part():
    window = torch.tensor([[[104.0, 132, 100, 120.25, 1], [116.0, 132, 100, 112, 1]]])
    image = create_encoding("candlestick", 2, height=32, width=32, volume=False, wick_intensity=0.01, **PURE)(window)
    assert image[0, 1, 11, 2] == pytest.approx(0.25)


def test_a_doji_is_one_pixel_high_in_a_colour_between_up_and_down():
    window = torch.tensor([[[116.5, 132, 100, 116.5, 1], [116.0, 132, 100, 112, 1]]])
    image = create_encoding("candlestick", 2, height=32, width=32, volume=False, **PURE)(window)
    edge = image[0, :, :, 2].T.numpy()
    assert close(edge[15], (UP + DOWN) / 2)
    assert close(np.delete(edge, 15, axis=0), 0)


def test_volume_bars_stand_in_the_lower_fifth_in_the_colours_of_their_candles():
    # 40 rows: 8 of volume, 1 empty, 31 of prices.
    window = torch.tensor([[[104.0, 132, 100, 120, 10], [116.0, 128, 104, 112, 5]]])
    image = create_encoding("candlestick", 2, height=40, width=32, **PURE)(window)
    assert close(column_of(image, 0, 16)[31], 0)
    assert close(column_of(image, 0, 16)[32:], UP)
    assert close(column_of(image, 1, 16)[32:36], 0)
    assert close(column_of(image, 1, 16)[36:], DOWN)


def test_background_fills_everything_else():
    window = torch.tensor([[[104.0, 132, 100, 120, 1], [116.0, 128, 104, 112, 1]]])
    image = create_encoding("candlestick", 2, height=32, width=32, background_color="#ffffff", **PURE)(window)
    assert close(image[0, :, :, 0].T.numpy(), WHITE)
    assert image[0, :, 0, 24].tolist() == [1, 1, 1]
    assert image.max() <= 1


def test_the_moving_average_begins_with_the_first_full_period_and_passes_through_its_values():
    closes = torch.tensor([100.0, 108, 116, 108, 132, 100, 116, 124])
    window = torch.stack([closes, closes.clone().fill_(132), closes.clone().fill_(100), closes, closes], dim=-1)[None]
    options = {"height": 32, "width": 64, "volume": False, **PURE}
    chart = create_encoding("candlestick", 8, moving_averages=(4,), moving_average_colors=("#0000ff",), **options)
    blue = chart(window)[0, 2]
    # Averages at candles 3 to 7: 108, 116, 114, 114, 118; middles of the bodies: column 8 * candle + 4.
    assert blue[:, :28].max() == 0
    for candle, average in zip(range(3, 8), (108, 116, 114, 114, 118), strict=True):
        row = 132 - average
        assert blue[row - 1 : row + 1, 8 * candle + 3 : 8 * candle + 5].max() > 0.49
    for column in range(28, 60):
        assert blue[:, column].sum() >= 1 - 1e-6


def test_equals_a_plain_drawing_pixel_by_pixel(walk):
    length, height, width = 9, 37, 47
    window = walk(1, length)
    image = create_encoding("candlestick", length, height=height, width=width, background_color="#102030", **PURE)(
        window
    )
    expected = plain_drawing(window[0].numpy(), height, width, np.array([0x10, 0x20, 0x30]) / 255)
    assert np.abs(image[0].numpy() - expected).max() <= 1e-9


def plain_drawing(candles: np.ndarray, height: int, width: int, background: np.ndarray) -> np.ndarray:
    """The chart by loops over candles, columns and rows."""
    length, volume_rows = len(candles), height // 5
    price_rows = height - volume_rows - 1
    high, low = candles[:, 1].max(), candles[:, 2].min()
    columns = Columns.share(length, width)
    image = np.tile(background[:, None, None], (1, height, width))

    def share(top: float, bottom: float, row: int) -> float:
        if bottom - top < 1:
            middle = min(max((top + bottom) / 2, 0.5), price_rows - 0.5)
            top, bottom = middle - 0.5, middle + 0.5
        return max(0.0, min(bottom, row + 1) - max(top, row))

    for x in range(width):
        candle = int(columns.candle[x])
        if not columns.body[x]:
            continue
        o, h, lo, c = (price_rows * (high - price) / (high - low) for price in candles[candle, :4])
        upness = min(max(0.5 + (o - c) / 0.5, 0), 1)
        color = upness * UP + (1 - upness) * DOWN
        bar = volume_rows * candles[candle, 4] / candles[:, 4].max()
        for row in range(price_rows):
            ink = share(min(o, c), max(o, c), row)
            if columns.wick[x]:
                ink = max(ink, 0.6 * share(h, lo, row))
            image[:, row, x] += ink * (color - background)
        for row in range(volume_rows):
            ink = min(max(bar - (volume_rows - 1 - row), 0), 1)
            image[:, price_rows + 1 + row, x] += ink * (color - background)
    return image


def test_gradient_agrees_with_finite_differences(walk):
    chart = create_encoding("candlestick", 4, height=32, width=32, moving_averages=(2,), background_color="#336699")
    window = walk(1, 4, seed=3).requires_grad_()
    mixture = torch.rand(3 * 32 * 32, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: chart(x).flatten(1) @ mixture, (window,), eps=1e-4, atol=1e-4)


@given(st.integers(2, 600).flatmap(lambda length: st.tuples(st.just(length), st.integers(max(length, 32), 600))))
def test_every_candle_has_a_body_of_the_same_width_with_its_wick_inside(size):
    length, width = size
    columns = Columns.share(length, width)
    bodies = torch.bincount(columns.candle[columns.body], minlength=length)
    wicks = torch.bincount(columns.candle[columns.wick], minlength=length)
    assert not (columns.wick & ~columns.body).any()
    assert (columns.candle.diff() >= 0).all()
    assert wicks.min() >= 1
    if width >= 2 * length:
        assert bodies.min() == bodies.max()
        assert wicks.min() == wicks.max()
        assert bodies.max() < width / length
    else:
        assert columns.body.all()
    first = torch.tensor(
        [int(torch.nonzero((columns.candle == candle) & columns.body)[0]) for candle in (0, length - 1)]
    )
    assert torch.equal(columns.centres[[0, -1]], first + bodies[[0, -1]] / 2)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (600, 600), (64, 128), (33, 599)])
def test_images_of_any_size_between_32_and_600_can_be_drawn(walk, height, width):
    assert create_encoding("candlestick", 30, height=height, width=width)(walk(2, 30)).shape == (2, 3, height, width)


@pytest.mark.parametrize("size", [31, 601])
def test_images_outside_32_to_600_are_refused(size):
    with pytest.raises(RecipeError) as caught:
        create_encoding("candlestick", 20, height=size)
    limit = "greater than or equal to 32" if size < 32 else "less than or equal to 600"
    assert str(caught.value) == (
        f"candlestick.height: Input should be {limit} (was {size}). "
        "`triptych encodings candlestick` lists the options with their limits."
    )


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "123456"])
def test_a_colour_that_is_not_hexadecimal_is_refused(color):
    with pytest.raises(RecipeError, match=rf"^candlestick\.up_color: .* \(was '{color}'\)\. `triptych encodings"):
        create_encoding("candlestick", 20, up_color=color)


def test_more_candles_than_columns_are_refused():
    with pytest.raises(RecipeError) as caught:
        create_encoding("candlestick", 65)
    assert str(caught.value) == (
        "candlestick: 65 candles do not fit into a width of 64 pixels. "
        "Set width to 65 or more (3 pixels a candle show body and wick), or shorten the window."
    )


def test_a_moving_average_longer_than_the_window_is_refused():
    with pytest.raises(RecipeError) as caught:
        create_encoding("candlestick", 20, moving_averages=(5, 21))
    assert str(caught.value) == (
        "candlestick: a moving average of 21 candles is longer than the window of 20. "
        "An encoding sees only its own window: shorten the moving average or lengthen the window."
    )


def plain(chart: torch.nn.Module, window: torch.Tensor) -> torch.Tensor:
    """The image by tensor operations, which a window that wants a gradient takes."""
    return chart(window.clone().requires_grad_()).detach()


@given(st.integers(2, 40), st.integers(40, 100), st.integers(32, 100), st.booleans(), st.booleans(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_kernel_draws_what_tensor_operations_draw(length, width, height, volume, rounded, seed):
    random = np.random.default_rng(seed)
    window = torch.tensor(random.uniform(90, 110, (3, length, 5)))
    window[..., 1], window[..., 2] = window[..., :4].amax(dim=-1), window[..., :4].amin(dim=-1)
    if rounded:  # strokes that end at the edges of pixels, dojis, candles without any range
        window = (window / 5).round()
    chart = create_encoding(
        "candlestick",
        length,
        width=width,
        height=height,
        volume=volume,
        moving_averages=tuple(random.integers(2, length + 1, random.integers(0, 3)).tolist()),
        background_color=str(random.choice(["#000000", "#1234af"])),
        wick_intensity=0.3,
    )
    # Positions are rounded at the same places: what remains is the last digit of a colour.
    assert (chart(window) - plain(chart, window)).abs().max() <= 1e-15
    assert (chart(window.float()) - plain(chart, window.float())).abs().max() <= 2.5e-7


def test_the_kernel_reads_windows_that_are_not_contiguous(walk):
    chart = create_encoding("candlestick", 20)
    history = walk(1, 60)[0]
    views = history.unfold(0, 20, 7).transpose(1, 2)
    assert not views.is_contiguous()
    assert torch.equal(chart(views), chart(views.contiguous()))
