from __future__ import annotations

import pytest
import torch

from triptych.images import create_encoding

# 16 rows: 12 of prices (100 to 111, one row each), 1 empty, 3 of volume.
WINDOW = torch.tensor([[[104.0, 106, 102, 105, 10], [105.0, 111, 104, 110, 30], [109.0, 110, 100, 101, 20]]])
PICTURE = """
....#....
....##.#.
....#.##.
....#..#.
....#..#.
.#..#..#.
.####..#.
##..#..#.
.#.....#.
.#.....#.
.......##
.......#.
.........
....#....
....#..#.
.#..#..#.
"""


def text_of(image: torch.Tensor) -> str:
    return "\n" + "\n".join("".join("#" if pixel else "." for pixel in row) for row in image[0, 0].tolist()) + "\n"


def test_three_candles_give_the_picture_drawn_by_hand():
    assert text_of(create_encoding("jkx", 3, height=16, moving_average=False)(WINDOW)) == PICTURE


def test_antialiasing_changes_nothing_where_prices_fall_on_whole_rows():
    image = create_encoding("jkx", 3, height=16, moving_average=False, antialias=True)(WINDOW)
    assert text_of(image.round(decimals=5)) == PICTURE


def test_the_moving_average_is_the_mean_of_the_closes_so_far_as_an_unbroken_line():
    plain = create_encoding("jkx", 3, height=16, moving_average=False)(WINDOW)
    lined = create_encoding("jkx", 3, height=16)(WINDOW)
    # Averages 105, 107.5 and 105.33 lie in rows 6, 3.5 and 5.67; in between the line falls or rises evenly.
    added = torch.nonzero(lined[0, 0] - plain[0, 0]).tolist()
    assert added == [[4, 3], [4, 5], [5, 2], [5, 3], [5, 5], [5, 6]]


def test_the_line_runs_from_the_middle_of_the_first_candle_to_the_middle_of_the_last():
    flat = torch.tensor([100.0, 120, 80, 100, 0]).repeat(1, 6, 1)
    image = create_encoding("jkx", 6, height=51, volume=False)(flat)[0, 0]
    assert image[25].tolist() == [1.0] * 18  # ticks and line meet in one row
    image = create_encoding("jkx", 6, height=51, volume=False)(flat + torch.tensor([10.0, 0, 0, 0, 0]))[0, 0]
    assert image[25].tolist() == [0.0] + [1.0] * 17  # the open stands higher now: only the line and the close remain


@pytest.mark.parametrize(("length", "height"), [(5, 32), (20, 64), (60, 96)])
def test_default_sizes_are_those_of_the_paper(walk, length, height):
    image = create_encoding("jkx", length)(walk(2, length))
    assert image.shape == (2, 1, height, 3 * length)


def test_pixels_are_black_or_white(walk):
    image = create_encoding("jkx", 20)(walk(50, 20))
    assert set(image.unique().tolist()) == {0.0, 1.0}


def test_every_image_fills_the_price_area_and_the_volume_area(walk):
    image = create_encoding("jkx", 20)(walk(50, 20))[:, 0]
    assert (image[:, 0].sum(dim=1) >= 1).all()
    assert (image[:, 50].sum(dim=1) >= 1).all()
    assert (image[:, 51] == 0).all()
    assert (image[:, 52].sum(dim=1) >= 1).all()


def test_only_the_antialiased_chart_is_differentiable(walk):
    assert not create_encoding("jkx", 5).differentiable
    chart = create_encoding("jkx", 5, antialias=True)
    assert chart.differentiable
    assert torch.autograd.gradcheck(chart, (walk(1, 5, seed=2).requires_grad_(),), eps=1e-4, atol=1e-5)


def test_prices_rebuilt_from_returns_give_the_same_picture(walk):
    window = walk(10, 20)
    rebuilt = window.clone()
    rebuilt[..., :4] /= window[:, :1, 3:4]
    chart = create_encoding("jkx", 20, antialias=True)
    assert torch.allclose(chart(window), chart(rebuilt), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "options", [{}, {"antialias": True}, {"volume": False, "height": 47}, {"moving_average": False}]
)
@pytest.mark.parametrize("length", [2, 5, 20, 60])
def test_the_kernel_draws_exactly_what_tensor_operations_draw(walk, length, options, dtype):
    chart = create_encoding("jkx", length, **options)
    windows = walk(50, length, seed=length).to(dtype)
    windows[::5] = windows[::5].round(decimals=-1)  # ties, dojis, candles without any range
    windows[1::5, :, 4] = 0
    windows[2] = windows[2, :1]
    plain = chart(windows.clone().requires_grad_()).detach()
    assert torch.equal(chart(windows), plain)
