from __future__ import annotations

import math

import numpy as np
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
    held = torch.randint(2, 7, (50, 12, 2, 1), generator=random)
    thin = torch.arange(6) >= held  # the deepest levels of a side are not there
    window[torch.cat([thin[:, :, 0], thin[:, :, 0], thin[:, :, 1], thin[:, :, 1]], dim=-1)] = torch.nan
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


ABSENT = "A level that is not there is NaN in price and size: bring both, or neither."
NO_BOOKS = [
    ({3: np.nan}, f"bid level 2 has a price and no size. {ABSENT}"),
    ({4: np.nan}, f"ask level 1 has a size and no price. {ABSENT}"),
    (
        {0: np.nan, 2: np.nan},
        "bid level 1 is missing, and level 2 is there. Levels stand from the best price outward: those that are not "
        "there come last. Sort them, or leave the book out.",
    ),
    (
        {0: 500.0},
        "the best bid 500.0 is above the best ask 101.0. Leave out books that are crossed: the stream they come from "
        "has lost a message, or the sides are exchanged.",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), NO_BOOKS)
@pytest.mark.parametrize(("name", "options"), BOOKS)
def test_what_is_no_book_is_refused_by_row_and_level(name, options, changes, sentence) -> None:
    good = torch.tensor([99.0, 98.0, 5.0, 4.0, 101.0, 102.0, 3.0, 2.0], dtype=torch.float64)
    bad = good.clone()
    for column, value in changes.items():
        bad[column] = value
    encoding = create_encoding(name, 2, **options)
    with pytest.raises(DataError) as caught:
        encoding(torch.stack([torch.stack([good, good]), torch.stack([good, bad])]))
    assert str(caught.value) == f"Window 1 of the batch, row 1 of 2: {sentence}"
    stream = StreamingEncoder(encoding, dtype=torch.float64)
    stream.append(good)
    with pytest.raises(DataError) as caught:
        stream.append(bad)
    assert str(caught.value) == f"Row 1: {sentence}"
    assert stream.n_rows == 1


@pytest.mark.parametrize(("name", "options"), BOOKS)
def test_levels_that_are_not_there_come_last_and_an_empty_book_is_one(name, options) -> None:
    good = torch.tensor([99.0, 98.0, 5.0, 4.0, 101.0, 102.0, 3.0, 2.0])
    thin, empty, bare = good.clone(), torch.full((8,), torch.nan), good.clone()
    thin[[1, 3]] = torch.nan
    bare[1], bare[3] = torch.nan, 0.0  # nothing at no price
    encoding = create_encoding(name, 4, **options)
    image = encoding(torch.stack([good, thin, empty, bare])[None])
    assert image.isfinite().all()
    assert torch.equal(image, encoding(torch.stack([good, thin, empty, thin])[None]))


def test_a_score_below_zero_is_no_size() -> None:
    window = WINDOW.clone()
    window[0, 1, 3] = -2.0
    encoding = create_encoding("book_levels", 2, levels=2, scale="given")
    stream = StreamingEncoder(encoding)
    stream.append(window[0, 0])
    assert torch.equal(stream.update(window[0, 1]), encoding(window))
