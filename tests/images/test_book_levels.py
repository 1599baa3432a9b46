from __future__ import annotations

import math

import pytest
import torch

from triptych.domain.errors import DataError
from triptych.images import StreamingEncoder, create_encoding, encode_into

# bid prices, bid sizes, ask prices, ask sizes of two levels; mid of the last book 100, price steps of 0.1 (10 bp)
WINDOW = torch.tensor(
    [[[99.8, 99.7, 4.0, 2.0, 99.9, 100.1, 1.0, 2.0], [99.9, 99.8, 2.0, 0.0, 100.1, 100.2, 62.0, 2.0]]],
    dtype=torch.float64,
)


def test_columns_are_ask_price_ask_size_bid_price_bid_size_level_by_level() -> None:
    image = create_encoding("book_levels", 2, levels=2, reach=40.0)(WINDOW)
    assert image.shape == (1, 1, 2, 8)
    prices = image[0, 0, :, [0, 2, 4, 6]]  # best ask, best bid, second ask, second bid
    expected = 0.5 + torch.tensor([[-10.0, -20.0, 10.0, -30.0], [10.0, -10.0, 20.0, -20.0]]).double() / 80
    assert torch.allclose(prices, expected, atol=1e-9)


def test_sizes_are_logarithms_relative_to_the_median_level_and_end_at_the_ceiling() -> None:
    image = create_encoding("book_levels", 2, levels=2, ceiling=32.0)(WINDOW)
    median = 2.0  # of 1, 2, 2, 2, 2, 4, 62
    sizes = image[0, 0, 1, [1, 3, 5, 7]].tolist()
    full = math.log1p(32)
    assert sizes == pytest.approx([math.log1p(31) / full, math.log1p(2 / median) / full, math.log1p(1) / full, 0.0])


def test_without_a_reach_the_farthest_price_of_the_window_is_at_the_end() -> None:
    image = create_encoding("book_levels", 2, levels=2)(WINDOW)
    assert image[0, 0, 0, 6] == 0.0
    assert image[0, 0, 1, 4] == pytest.approx(0.5 + 20 / 60)


def test_a_missing_level_is_at_the_end_of_its_side_with_nothing_in_it() -> None:
    window = WINDOW.clone()
    window[0, 0, [1, 3, 5, 7]] = torch.nan
    image = create_encoding("book_levels", 2, levels=2)(window)
    assert image[0, 0, 0, 4:].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_rows_that_are_scores_already_are_only_cut_and_moved() -> None:
    scores = torch.tensor([[[0.0, -4.0, 9.0, 2.0], [-9.0, 1.0, 4.0, torch.nan]]])
    image = create_encoding("book_levels", 2, levels=1, scale="given")(scores)
    assert image[0, 0].tolist() == [[1.0, 0.75, 0.5, 0.0], [0.5, 0.5, 0.0, 0.625]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"reach": 20.0, "ceiling": 5.0}, {"scale": "given", "clip": 2.0}])
def test_with_and_without_a_kernel_the_numbers_are_the_same(options, dtype) -> None:
    random = torch.Generator().manual_seed(0)
    window = torch.rand(50, 12, 4 * 6, generator=random, dtype=torch.float64)
    if "scale" not in options:
        window = torch.cat([100 - window[..., :6], window[..., :6] * 9, 100 + window[..., :6], window[..., 6:12]], -1)
    window[torch.rand(window.shape, generator=random) < 0.1] = torch.nan
    window[0] = torch.nan  # books without any level
    window[1, :, 12:] = torch.nan  # bids only
    window[2, 6:] = torch.nan
    window = window.to(dtype)
    encoding = create_encoding("book_levels", 12, levels=6, **options)
    plain = encoding(window.clone().requires_grad_()).detach()
    assert torch.allclose(encoding(window), plain, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-14)


BOOKS = [
    ("book_levels", {"levels": 2}),
    ("book_imbalance", {"levels": 2}),
    ("depth_heatmap", {"levels": 2}),
    ("multi_channel", {"channels": ({"name": "depth_heatmap", "levels": 2},)}),
]
IMPOSSIBLE = [
    (
        -2.0,
        "bid_size_2 is -2.0, and nothing less than nothing can rest in a book. "
        "Give 0 or NaN for a level that is not there.",
    ),
    (
        2.0**90,
        "bid_size_2 is 1.2379400392853803e+27, and no book holds more than 1e+24. "
        "Look whether the column is a size, and in which unit.",
    ),
]


@pytest.mark.parametrize(("size", "sentence"), IMPOSSIBLE)
@pytest.mark.parametrize(("name", "options"), BOOKS)
def test_a_size_that_no_book_holds_is_refused_in_batches_and_in_streams(name, options, size, sentence) -> None:
    window = WINDOW.double().clone()
    window[0, 1, 3] = size
    encoding = create_encoding(name, 2, **options)
    with pytest.raises(DataError) as caught:
        encoding(window)
    assert str(caught.value) == f"Window 0 of the batch, row 1 of 2: {sentence}"
    with pytest.raises(DataError) as caught:
        encode_into(encoding, window, torch.empty(1, encoding.channels, encoding.height, encoding.width).double())
    assert str(caught.value) == f"Window 0 of the batch, row 1 of 2: {sentence}"
    stream = StreamingEncoder(encoding, dtype=torch.float64)
    stream.append(window[0, 0])
    with pytest.raises(DataError) as caught:
        stream.append(window[0, 1])
    assert str(caught.value) == f"Row 1: {sentence}"
    assert stream.n_rows == 1
    stream.append(window[0, 0])
    assert stream.image().isfinite().all()


def test_a_score_below_zero_is_no_size() -> None:
    window = WINDOW.clone()
    window[0, 1, 3] = -2.0
    encoding = create_encoding("book_levels", 2, levels=2, scale="given")
    stream = StreamingEncoder(encoding)
    stream.append(window[0, 0])
    assert torch.equal(stream.update(window[0, 1]), encoding(window))
