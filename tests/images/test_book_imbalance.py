from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.domain import book_columns
from triptych.images import create_encoding

NAN = float("nan")

WINDOW = torch.tensor(
    [[[99.0, 98.0, 1.0, 2.0, 101.0, 103.0, 3.0, 2.0], [99.0, NAN, 4.0, NAN, 101.0, 102.0, 0.0, 1.0]]],
    dtype=torch.float64,
)


def imbalance(length=2, **options):
    return create_encoding("book_imbalance", length, **({"levels": 2} | options))


def test_by_level_it_is_the_share_of_bids_so_far():
    image = imbalance()(WINDOW)
    assert image.shape == (1, 1, 2, 2)
    np.testing.assert_allclose(image[0, 0], [[1 / 4, 4 / 4], [3 / 8, 4 / 5]], atol=1e-15)


def test_by_distance_a_level_counts_from_its_row_on():
    # Rows end at 100, 200, 300 and 400 bp of the mid 100.
    image = imbalance(unit="bp", reach=400.0, height=4)(WINDOW[:, :1].expand(-1, 2, -1))
    np.testing.assert_allclose(image[0, 0, :, 0], [0.5, 1 / 4, 3 / 6, 3 / 8], atol=1e-12)


def test_an_empty_book_is_balanced_and_a_one_sided_one_is_not():
    window = WINDOW.clone()
    window[0, 0] = NAN
    window[0, 1, 4:] = NAN
    image = imbalance()(window)
    assert image[0, 0].tolist() == [[0.5, 1.0], [0.5, 1.0]]


@pytest.mark.parametrize("options", [{}, {"unit": "bp", "reach": 300.0, "height": 5}, {"height": 7, "width": 5}])
def test_nan_reaches_neither_image_nor_gradient(options):
    x = WINDOW.repeat(3, 1, 1)
    x[1] = NAN
    x[2, 0, :4] = NAN
    x.requires_grad_()
    encoding = imbalance(**options)
    image = encoding(x)
    assert image.shape == (3, 1, encoding.height, encoding.width)
    assert image.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1
    image.pow(2).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad[..., 2:4].abs().max() > 0
    assert (x.grad[..., :2].abs().max() > 0) == encoding.differentiable


def test_levels_are_averaged_or_repeated_to_the_height():
    image = imbalance()(WINDOW)
    torch.testing.assert_close(imbalance(height=4)(WINDOW), image.repeat_interleave(2, dim=2))
    torch.testing.assert_close(imbalance(height=1)(WINDOW), image.mean(dim=2, keepdim=True))
    torch.testing.assert_close(imbalance(width=6)(WINDOW), image.repeat_interleave(3, dim=3))


def test_size_and_columns_are_known_from_the_options():
    encoding = imbalance(10, levels=3)
    assert (encoding.channels, encoding.height, encoding.width) == (1, 3, 10)
    assert encoding.columns == book_columns(3)
