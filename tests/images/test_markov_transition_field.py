from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding


def window_of(closes: list[float], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """One window whose closes are these and whose other fields do not matter."""
    close = torch.tensor(closes, dtype=dtype)
    return torch.stack([close, close + 1, close - 1, close, torch.ones_like(close)], dim=-1)[None]


def both_paths(window: torch.Tensor, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The image by the compiled kernel and by tensor operations, which a window that needs a gradient gets."""
    encoding = create_encoding("markov_transition_field", window.shape[1], **options)
    return encoding(window), encoding(window.detach().clone().requires_grad_()).detach()


# Two bins, the median 3.5: low low high high low high. From low: to low once, to high twice. From high: to high once,
# to low once.
CLOSES = [1.0, 2.0, 5.0, 6.0, 3.0, 4.0]
IN_HIGH = [0, 0, 1, 1, 0, 1]
PROBABILITY = [[1 / 3, 2 / 3], [1 / 2, 1 / 2]]


def test_six_points_give_the_field_computed_by_hand():
    expected = [[PROBABILITY[a][b] for b in IN_HIGH] for a in IN_HIGH]
    for image in both_paths(window_of(CLOSES), n_bins=2):
        assert np.allclose(image[0, 0], expected, rtol=0, atol=1e-15)


def test_a_smaller_image_holds_the_means_of_blocks():
    # Thirds are low low, high high and low high.
    expected = [[1 / 3, 2 / 3, 1 / 2], [1 / 2, 1 / 2, 1 / 2], [5 / 12, 7 / 12, 1 / 2]]
    for image in both_paths(window_of(CLOSES), n_bins=2, size=3):
        assert np.allclose(image[0, 0], expected, rtol=0, atol=1e-15)


def test_a_quantile_that_is_a_value_keeps_it_in_the_lower_bin():
    # The median is 3: 1, 2 and 3 are low, 8 and 9 high.
    for image in both_paths(window_of([1.0, 3.0, 8.0, 2.0, 9.0]), n_bins=2):
        # From low (1, 3, 2): to low, to high, to high; from high (8): to low; the last, 9, goes nowhere.
        low, high = [1 / 3, 2 / 3], [1.0, 0.0]
        rows = [low if is_low else high for is_low in (True, True, False, True, False)]
        expected = [[row[0] if is_low else row[1] for is_low in (True, True, False, True, False)] for row in rows]
        assert np.allclose(image[0, 0], expected, rtol=0, atol=1e-15)


def test_a_bin_that_only_the_last_value_is_in_has_no_transitions():
    for image in both_paths(window_of([1.0, 1.0, 1.0, 2.0]), n_bins=2):
        assert (image[0, 0, 3] == 0).all()
        assert np.allclose(image[0, 0, 0], [2 / 3, 2 / 3, 2 / 3, 1 / 3], rtol=0, atol=1e-15)


def test_uniform_bins_span_equal_shares_of_the_range():
    # Edges at 3 and 6: bins 0, 0, 1, 2, 0. A value on an edge is in the lower bin.
    bins = [0, 0, 1, 2, 0]
    probability = np.array([[1 / 2, 1 / 2, 0], [0, 0, 1], [1, 0, 0]])
    for image in both_paths(window_of([0.0, 3.0, 4.0, 9.0, 2.0]), n_bins=3, strategy="uniform"):
        assert np.allclose(image[0, 0], probability[np.ix_(bins, bins)], rtol=0, atol=1e-15)


@pytest.mark.parametrize("n_bins", [2, 3, 5, 8, 10, 16])
@pytest.mark.parametrize("size", [None, 59, 20, 7])
def test_quantile_bins_equal_pyts(walk, pyts_image, n_bins, size):
    x = walk(4, 60)
    peer = pyts_image.MarkovTransitionField(image_size=60 if size is None else size, n_bins=n_bins)
    theirs = peer.transform(x[..., 3].numpy())
    for ours in both_paths(x, n_bins=n_bins, size=size):
        assert np.abs(ours[:, 0].numpy() - theirs).max() <= 1e-9


def test_uniform_bins_equal_pyts(walk, pyts_image):
    x = walk(8, 60)
    theirs = pyts_image.MarkovTransitionField(n_bins=6, strategy="uniform").transform(x[..., 3].numpy())
    for ours in both_paths(x, n_bins=6, strategy="uniform"):
        assert np.abs(ours[:, 0].numpy() - theirs).max() <= 1e-9


@pytest.mark.parametrize(("tick", "n_bins"), [(0.1, 6), (0.1, 10), (0.01, 7), (0.25, 5), (1.0, 12)])
def test_uniform_bins_equal_pyts_where_prices_on_whole_ticks_fall_on_edges(pyts_image, tick, n_bins):
    steps = np.random.default_rng(0).integers(-3, 4, (300, 40))
    close = np.cumsum(steps, axis=1) * tick + 20_000
    theirs = pyts_image.MarkovTransitionField(n_bins=n_bins, strategy="uniform").transform(close)
    windows = torch.tensor(close)[..., None].expand(-1, -1, 5).contiguous()
    for ours in both_paths(windows, n_bins=n_bins, strategy="uniform"):
        assert np.abs(ours[:, 0].numpy() - theirs).max() <= 1e-9


def test_normal_bins_equal_pyts_on_the_standardised_window(walk, pyts_image):
    x = walk(8, 60)
    close = x[..., 3].numpy()
    standard = (close - close.mean(axis=1, keepdims=True)) / close.std(axis=1, keepdims=True)
    theirs = pyts_image.MarkovTransitionField(n_bins=6, strategy="normal").transform(standard)
    for ours in both_paths(x, n_bins=6, strategy="normal"):
        assert np.abs(ours[:, 0].numpy() - theirs).max() <= 1e-9


@pytest.mark.parametrize("size", [None, 13])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "normal"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kernel_draws_what_the_tensor_operations_draw(walk, dtype, strategy, size):
    x = walk(4, 97).to(dtype)
    options = {"strategy": strategy, "size": size, "n_bins": 11, "series": ("close", "volume", "log_return")}
    drawn, composed = both_paths(x, **options)
    assert torch.allclose(drawn, composed, rtol=0, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(closes=st.lists(st.integers(0, 6), min_size=2, max_size=30), n_bins=st.integers(2, 9))
def test_bins_by_rank_are_bins_by_quantile_on_prices_that_repeat(closes, n_bins):
    x = np.array(closes, dtype=np.float64)
    bins = np.zeros(len(x), dtype=int)
    ordered = np.sort(x)
    for k in range(1, n_bins):
        # The quantile k / n_bins in whole numbers: n_bins times it.
        place, rest = divmod(k * (len(x) - 1), n_bins)
        following = ordered[min(place + 1, len(x) - 1)]
        quantile = ordered[place] * (n_bins - rest) + following * rest
        bins += n_bins * x > quantile
    count = np.zeros((n_bins, n_bins))
    np.add.at(count, (bins[:-1], bins[1:]), 1)
    probability = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    for image in both_paths(window_of(closes), n_bins=n_bins):
        assert np.allclose(image[0, 0], probability[np.ix_(bins, bins)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [None, 3])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "normal"])
def test_a_constant_series_stays_where_it_is(strategy, size):
    for image in both_paths(window_of([7.0] * 8), strategy=strategy, size=size):
        assert torch.equal(image, torch.ones_like(image))


def test_single_precision_puts_values_into_the_bins_of_double_precision(walk):
    x = walk(50, 64).float()
    encoding = create_encoding("markov_transition_field", 64)
    assert torch.allclose(encoding(x).double(), encoding(x.double()), rtol=0, atol=1e-6)


def test_every_series_is_a_channel_in_the_order_asked_for(walk):
    x = walk(3, 16)
    image = create_encoding("markov_transition_field", 16, series=("volume", "close"), size=8)(x)
    assert image.shape == (3, 2, 8, 8)
    for channel, name in enumerate(("volume", "close")):
        alone = create_encoding("markov_transition_field", 16, series=(name,), size=8)(x)[:, 0]
        assert torch.equal(image[:, channel], alone)


def test_an_empty_batch_gives_an_empty_batch(walk):
    for image in both_paths(walk(1, 20)[:0]):
        assert image.shape == (0, 1, 20, 20)


@pytest.mark.parametrize("size", [None, 7])
def test_memory_that_is_drawn_into_need_not_be_empty(walk, size):
    x = walk(3, 20)
    encoding = create_encoding("markov_transition_field", 20, size=size)
    image = torch.full((3, 1, encoding.height, encoding.width), torch.nan, dtype=torch.float64)
    encoding.draw(x, image)
    assert torch.equal(image, encoding(x))


def test_threads_share_a_batch_without_changing_it(walk):
    x = walk(7, 200).repeat(20, 1, 1)
    encoding = create_encoding("markov_transition_field", 200)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = encoding(x)
        torch.set_num_threads(2)
        assert torch.equal(encoding(x), alone)
    finally:
        torch.set_num_threads(threads)


def test_a_step_is_not_differentiable():
    assert not create_encoding("markov_transition_field", 8).differentiable


def test_size_above_the_window_length_is_refused():
    with pytest.raises(RecipeError) as caught:
        create_encoding("markov_transition_field", 20, size=24)
    assert str(caught.value) == (
        "markov_transition_field: size 24 exceeds the window length 20. Set size to 20 or less, or lengthen the window."
    )
