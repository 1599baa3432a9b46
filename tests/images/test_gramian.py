from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.domain.errors import DataError, RecipeError
from triptych.images import create_encoding

# Closes 10, 11, 14 scale to -1, -1/2, 1; their sines are 0, sqrt(3)/2, 0.
ROOT = np.sqrt(3) / 2
GASF = [[1, 0.5, -1], [0.5, -0.5, -0.5], [-1, -0.5, 1]]
GADF = [[0, ROOT, 0], [-ROOT, 0, ROOT], [0, -ROOT, 0]]


def window_of(closes: list[float]) -> torch.Tensor:
    """One window, float64, whose other prices lie around the closes and whose volume is 1, 2, 3, ..."""
    close = torch.tensor(closes, dtype=torch.float64)
    return torch.stack([close, close + 1, close - 1, close, torch.arange(1.0, len(closes) + 1)], dim=-1)[None]


@pytest.mark.parametrize(("name", "expected"), [("gasf", GASF), ("gadf", GADF)])
def test_three_points_give_the_image_computed_by_hand(name, expected):
    field = create_encoding(name, 3, signed=True)(window_of([10, 11, 14]))[0, 0]
    assert np.allclose(field.numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "expected"), [("gasf", GASF), ("gadf", GADF)])
def test_without_signed_the_field_is_mapped_to_0_to_1(name, expected):
    image = create_encoding(name, 3)(window_of([10, 11, 14]))[0, 0]
    assert np.allclose(image.numpy(), (np.array(expected) + 1) / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [None, 60, 59, 31, 30, 13, 7, 2])
@pytest.mark.parametrize(("name", "method"), [("gasf", "summation"), ("gadf", "difference")])
def test_equals_pyts_with_and_without_piecewise_aggregation(walk, pyts_image, name, method, size):
    x = walk(5, 60)
    ours = create_encoding(name, 60, size=size, signed=True)(x)[:, 0].numpy()
    theirs = pyts_image.GramianAngularField(
        image_size=60 if size is None else size, sample_range=(-1, 1), method=method
    ).fit_transform(x[..., 3].numpy())
    assert np.abs(ours - theirs).max() <= 1e-6


def test_single_precision_keeps_the_image_of_double_precision(walk):
    x = walk(20, 64).float()
    for name in ("gasf", "gadf"):
        difference = create_encoding(name, 64)(x) - create_encoding(name, 64)(x.double())
        assert difference.abs().max() <= 2e-6


def test_every_series_is_a_channel_in_the_order_asked_for(walk):
    x = walk(3, 16)
    image = create_encoding("gasf", 16, series=("volume", "close", "high"))(x)
    assert image.shape == (3, 3, 16, 16)
    for channel, name in enumerate(("volume", "close", "high")):
        alone = create_encoding("gasf", 16, series=(name,))(x)[:, 0]
        assert torch.allclose(image[:, channel], alone, rtol=0, atol=1e-12)


def test_log_return_begins_with_the_first_candle_from_its_open_to_its_close():
    # Returns of -log 2, 0 and log 2 scale to -1, 0 and 1.
    x = window_of([10, 10, 20])
    x[0, 0, 0] = 20
    field = create_encoding("gasf", 3, series=("log_return",), signed=True)(x)[0, 0]
    assert np.allclose(field.numpy(), [[1, 0, -1], [0, -1, 0], [-1, 0, 1]], rtol=0, atol=1e-12)


def test_log_range_is_the_logarithm_of_high_over_low():
    # Ranges of log 2, log 4 and log 8 scale to -1, 0 and 1.
    x = window_of([10, 10, 10])
    x[0, :, 1] = torch.tensor([10.0, 20.0, 40.0])
    x[0, :, 2] = 5
    field = create_encoding("gasf", 3, series=("log_range",), signed=True)(x)[0, 0]
    assert np.allclose(field.numpy(), [[1, 0, -1], [0, -1, 0], [-1, 0, 1]], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("gasf", 0.0), ("gadf", 0.5)])
def test_a_constant_series_gives_an_even_image(name, value):
    image = create_encoding(name, 4)(window_of([7, 7, 7, 7]))
    assert torch.equal(image, torch.full((1, 1, 4, 4), value, dtype=torch.float64))


def test_summation_field_is_symmetric_and_difference_field_antisymmetric(walk):
    x = walk(4, 32)
    summation = create_encoding("gasf", 32, signed=True)(x)
    difference = create_encoding("gadf", 32, signed=True)(x)
    assert torch.allclose(summation, summation.transpose(-1, -2), rtol=0, atol=1e-12)
    assert torch.allclose(difference, -difference.transpose(-1, -2), rtol=0, atol=1e-12)


def test_gradient_agrees_with_finite_differences(walk):
    x = walk(2, 8)
    inner = torch.zeros_like(x, dtype=torch.bool)
    close = x[..., 3]
    # The field has no derivative where the close touches its minimum or maximum: only the others are moved.
    inner[..., 3] = (close > close.amin(dim=1, keepdim=True)) & (close < close.amax(dim=1, keepdim=True))

    def image(moved: torch.Tensor) -> torch.Tensor:
        return create_encoding("gasf", 8)(x.masked_scatter(inner, moved))

    assert torch.autograd.gradcheck(image, (x[inner].clone().requires_grad_(),), eps=1e-3)


def test_size_above_the_window_length_is_refused():
    with pytest.raises(RecipeError) as caught:
        create_encoding("gadf", 20, size=24)
    assert str(caught.value) == (
        "Gramian angular field: size 24 exceeds the window length 20. Set size to 20 or less, or lengthen the window."
    )


def test_unknown_series_is_refused():
    with pytest.raises(RecipeError) as caught:
        create_encoding("gasf", 20, series=("vwap",))
    assert str(caught.value) == (
        "gasf.series: Input should be 'open', 'high', 'low', 'close', 'volume', 'log_return' or 'log_range' "
        "(was 'vwap'). `triptych encodings gasf` lists the options with their limits."
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("signed", "least"), [(False, 0.0), (True, -1.0)])
@pytest.mark.parametrize("name", ["gasf", "gadf"])
def test_no_value_leaves_the_range_by_rounding(walk, name, signed, least, dtype):
    x = walk(400, 50).to(dtype)
    field = create_encoding(name, 50, signed=signed)
    for image in (field(x), field(x.requires_grad_())):
        assert image.min() >= least
        assert image.max() <= 1.0


def test_what_is_cut_off_keeps_its_gradient(walk):
    x = walk(200, 30).float()
    size = torch.rand(200, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    gradients = []
    for signed, scale in ((False, 1.0), (True, 0.5)):  # both are cut, at other pixels
        leaf = x.clone().requires_grad_()
        (create_encoding("gasf", 30, signed=signed)(leaf) * size * scale).sum().backward()
        gradients.append(leaf.grad[..., 3])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"signed": True}, {"size": 17}, {"series": ("volume", "log_return", "log_range", "open")}],
)
@pytest.mark.parametrize("name", ["gasf", "gadf"])
def test_the_kernel_draws_what_the_matrix_product_draws(walk, name, options):
    field = create_encoding(name, 50, **options)
    windows = walk(20, 50)
    windows[0] = windows[0, :1]
    for dtype, tolerance in ((torch.float64, 2e-15), (torch.float32, 5e-7)):
        x = windows.to(dtype)
        plain = field(x.clone().requires_grad_()).detach()
        assert (field(x) - plain).abs().max() <= tolerance


@pytest.mark.parametrize("name", ["gasf", "recurrence_plot", "markov_transition_field", "spectrogram", "scalogram"])
@pytest.mark.parametrize("price", [0.0, -37.0])
def test_logarithms_of_prices_that_are_not_above_zero_are_refused_by_place(walk, name, price):
    windows = walk(3, 64)
    windows[1, 30, 3] = price
    with pytest.raises(DataError) as refused:
        create_encoding(name, 64, series=("log_return",))(windows)
    assert str(refused.value) == (
        f"Window 1 of the batch, row 30 of 64: close is {price:g}, and the series is of logarithms of prices. "
        "Leave out candles whose prices are not above zero, or choose the series close."
    )
