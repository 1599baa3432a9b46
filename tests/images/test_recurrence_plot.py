from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding

EMBEDDINGS = [(1, 1), (2, 1), (3, 4)]


def window_of(closes: list[float], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """One window whose closes are these and whose other fields do not matter."""
    close = torch.tensor(closes, dtype=dtype)
    return torch.stack([close, close + 1, close - 1, close, torch.ones_like(close)], dim=-1)[None]


def both_paths(window: torch.Tensor, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The image by the compiled kernel and by tensor operations, which a window that needs a gradient gets."""
    encoding = create_encoding("recurrence_plot", window.shape[1], **options)
    return encoding(window), encoding(window.detach().clone().requires_grad_()).detach()


# Closes 10, 11, 14, 12: distances of 1, 4, 2, 3, 1 and 2 in a range of 4.
CLOSES = [10.0, 11.0, 14.0, 12.0]
DISTANCES = [[0, 1, 4, 2], [1, 0, 3, 1], [4, 3, 0, 2], [2, 1, 2, 0]]


def test_without_a_threshold_a_point_is_the_distance_as_a_share_of_the_range():
    for image in both_paths(window_of(CLOSES)):
        assert torch.equal(image[0, 0], torch.tensor(DISTANCES, dtype=torch.float64) / 4)


def test_in_the_units_of_the_series_a_point_is_the_distance_itself():
    for image in both_paths(window_of(CLOSES), units="series"):
        assert torch.equal(image[0, 0], torch.tensor(DISTANCES, dtype=torch.float64))


def test_states_of_two_values_are_compared_by_their_root_mean_square_difference():
    # States (10, 14) and (11, 12): differences of 1 and 2, so root((1 + 4) / 2) / 4 and, unscaled, root(5).
    for image in both_paths(window_of(CLOSES), dimension=2, delay=2):
        assert np.allclose(image[0, 0], [[0, np.sqrt(2.5) / 4], [np.sqrt(2.5) / 4, 0]], rtol=0, atol=1e-15)
    for image in both_paths(window_of(CLOSES), dimension=2, delay=2, units="series"):
        assert np.allclose(image[0, 0], [[0, np.sqrt(5)], [np.sqrt(5), 0]], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"threshold": "fixed", "epsilon": 0.5}, 1),  # half the range is 2, and 2 is not below it
        ({"threshold": "fixed", "epsilon": 0.51}, 2),
        ({"threshold": "fixed", "epsilon": 2.0, "units": "series"}, 1),
        ({"threshold": "distance", "share": 0.75}, 2),  # below 3
        # In order the 16 points are 0 0 0 0 1 1 1 1 2 2 2 2 3 3 4 4.
        ({"threshold": "point", "share": 0.5}, 1),  # between the eighth, 1, and the ninth, 2: below 1.5
        ({"threshold": "point", "share": 0.8}, 2),  # the thirteenth, 3
        ({"threshold": "point", "share": 0.2}, 0),  # the fourth, 0: only points that coincide
        ({"threshold": "point", "share": 1.0}, 3),  # below the largest
    ],
)
def test_a_threshold_keeps_the_points_below_its_limit(options, most):
    for image in both_paths(window_of(CLOSES), **options):
        assert torch.equal(image[0, 0], (torch.tensor(DISTANCES) <= most).double())


def test_epsilon_is_compared_with_the_distance_and_not_with_the_root_mean_square():
    # The two states are root(5) = 2.236 apart, 0.559 of the range.
    for epsilon, value in ((0.55, 0.0), (0.57, 1.0)):
        for image in both_paths(window_of(CLOSES), dimension=2, delay=2, threshold="fixed", epsilon=epsilon):
            assert image[0, 0, 0, 1] == value


@pytest.mark.parametrize(("dimension", "delay"), EMBEDDINGS)
@pytest.mark.parametrize(
    ("options", "peer"),
    [
        ({"units": "series"}, {"threshold": None}),
        ({"threshold": "fixed", "units": "series", "epsilon": 37.5}, {"threshold": 37.5}),
        ({"threshold": "distance", "share": 0.15}, {"threshold": "distance", "percentage": 15}),
        ({"threshold": "point", "share": 0.1}, {"threshold": "point", "percentage": 10}),
        ({"threshold": "point", "share": 0.37}, {"threshold": "point", "percentage": 37}),
        ({"threshold": "point", "share": 0.95}, {"threshold": "point", "percentage": 95}),
    ],
)
def test_equals_pyts(walk, pyts_image, options, peer, dimension, delay):
    x = walk(6, 40)
    theirs = pyts_image.RecurrencePlot(dimension=dimension, time_delay=delay, **peer).transform(x[..., 3].numpy())
    for ours in both_paths(x, dimension=dimension, delay=delay, **options):
        assert np.abs(ours[:, 0].numpy() - theirs).max() <= 1e-9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("dimension", "delay"), EMBEDDINGS)
@pytest.mark.parametrize("threshold", ["none", "fixed", "distance", "point"])
def test_the_kernel_draws_what_the_tensor_operations_draw(walk, threshold, dimension, delay, dtype):
    x = walk(4, 97).to(dtype)
    series = ("close", "volume", "log_return")
    drawn, composed = both_paths(x, threshold=threshold, dimension=dimension, delay=delay, series=series)
    if threshold == "none":
        assert torch.allclose(drawn, composed, rtol=0, atol=1e-6)
    else:
        assert torch.equal(drawn, composed)


@settings(max_examples=150, deadline=None)
@given(
    closes=st.lists(st.integers(0, 12), min_size=3, max_size=30),
    share=st.integers(1, 100),
    dimension=st.integers(1, 2),
)
def test_points_below_the_percentile_are_those_of_numpy_on_prices_that_repeat(closes, share, dimension):
    # Whole numbers, so that distances are exact and often equal.
    x = np.array(closes, dtype=np.float64)
    states = np.stack([x[k : len(x) - dimension + 1 + k] for k in range(dimension)])
    distance = np.sqrt(((states[:, :, None] - states[:, None, :]) ** 2).sum(axis=0))
    # The upper of the two neighbours of the percentile parts the points as the percentile does.
    limit = np.percentile(distance, share, method="higher")
    assert limit >= np.percentile(distance, share)
    expected = distance < limit if limit > 0 else distance == 0
    window = window_of(closes)
    for image in both_paths(window, threshold="point", share=share / 100, dimension=dimension):
        assert np.array_equal(image[0, 0].numpy() > 0, expected)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_crowd_of_equal_distances_among_others_is_parted_like_any(share):
    # Few prices, one far away: guesses by interpolation are poor, and no guess can part what is equal.
    random = np.random.default_rng(3)
    closes = np.where(random.random(120) < 0.9, random.integers(0, 3, 120), 10_000 * random.random(120))
    drawn, composed = both_paths(window_of(list(closes)), threshold="point", share=share)
    assert torch.equal(drawn, composed)
    assert 0 < drawn.mean() < 1


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_distances_of_all_magnitudes_are_parted_like_any(share, dimension):
    # Each price is 1.5 times the one before: interpolation finds nothing among distances from 1 to 1e13.
    closes = [1.5**k for k in range(75)]
    for dtype in (torch.float32, torch.float64):
        drawn, composed = both_paths(window_of(closes, dtype), threshold="point", share=share, dimension=dimension)
        assert torch.equal(drawn, composed)
        assert 0 < drawn.mean() < 1


@pytest.mark.parametrize("length", [3, 8, 9, 33, 150])
@pytest.mark.parametrize("prices", [2, 40, 1_000_000])
def test_the_nearest_points_are_found_by_their_order_whatever_the_length_and_the_tick(length, prices):
    closes = np.random.default_rng(length).integers(0, prices, length).astype(np.float64)
    distances = np.abs(closes[:, None] - closes)
    for percent in (1, 10, 50, 99):
        limit = np.percentile(distances, percent, method="higher")
        expected = distances < limit if limit > 0 else distances == 0
        for image in both_paths(window_of(list(closes)), threshold="point", share=percent / 100):
            assert np.array_equal(image[0, 0].numpy() > 0, expected)


def test_ten_percent_of_the_points_are_ten_percent(walk):
    image = create_encoding("recurrence_plot", 101, threshold="point", share=0.1)(walk(20, 101))
    # 10201 points, 1020 of them below the percentile, but for the symmetry.
    assert ((image.sum(dim=(1, 2, 3)) - 1020).abs() <= 1).all()


@pytest.mark.parametrize(("threshold", "value"), [("none", 0.0), ("fixed", 1.0), ("distance", 1.0), ("point", 1.0)])
def test_in_a_window_that_does_not_move_every_moment_resembles_every_other(threshold, value):
    for dimension in (1, 2):
        for image in both_paths(window_of([7.0] * 5), threshold=threshold, dimension=dimension):
            assert torch.equal(image, torch.full_like(image, value))


def test_every_series_is_a_channel_in_the_order_asked_for(walk):
    x = walk(3, 16)
    image = create_encoding("recurrence_plot", 16, series=("volume", "close"), threshold="point")(x)
    assert image.shape == (3, 2, 16, 16)
    for channel, name in enumerate(("volume", "close")):
        alone = create_encoding("recurrence_plot", 16, series=(name,), threshold="point")(x)[:, 0]
        assert torch.equal(image[:, channel], alone)


def test_the_image_is_as_wide_as_there_are_states(walk):
    encoding = create_encoding("recurrence_plot", 20, dimension=3, delay=4)
    assert (encoding.height, encoding.width) == (12, 12)
    assert encoding(walk(2, 20)).shape == (2, 1, 12, 12)


def test_an_empty_batch_gives_an_empty_batch(walk):
    for threshold in ("none", "point"):
        for image in both_paths(walk(1, 20)[:0], threshold=threshold):
            assert image.shape == (0, 1, 20, 20)


@pytest.mark.parametrize("threshold", ["none", "fixed", "distance", "point"])
def test_memory_that_is_drawn_into_need_not_be_empty(walk, threshold):
    x = walk(3, 20)
    encoding = create_encoding("recurrence_plot", 20, threshold=threshold, dimension=2)
    image = torch.full((3, 1, 19, 19), torch.nan, dtype=torch.float64)
    encoding.draw(x, image)
    assert torch.equal(image, encoding(x))


def test_threads_share_a_batch_without_changing_it(walk):
    x = walk(7, 200)
    encoding = create_encoding("recurrence_plot", 200, threshold="point", dimension=2)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = encoding(x.repeat(20, 1, 1))
        torch.set_num_threads(2)
        assert torch.equal(encoding(x.repeat(20, 1, 1)), alone)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("dimension", [1, 2])
def test_gradient_of_the_distances_agrees_with_finite_differences(walk, dimension):
    x = walk(2, 8)
    inner = torch.zeros_like(x, dtype=torch.bool)
    close = x[..., 3]
    # There is no derivative where the close touches its minimum or maximum: only the others are moved.
    inner[..., 3] = (close > close.amin(dim=1, keepdim=True)) & (close < close.amax(dim=1, keepdim=True))

    def image(moved: torch.Tensor) -> torch.Tensor:
        return create_encoding("recurrence_plot", 8, dimension=dimension)(x.masked_scatter(inner, moved))

    assert torch.autograd.gradcheck(image, (x[inner].clone().requires_grad_(),), eps=1e-3)


def test_only_distances_are_said_to_be_differentiable():
    for threshold in ("none", "fixed", "distance", "point"):
        assert create_encoding("recurrence_plot", 8, threshold=threshold).differentiable == (threshold == "none")


@pytest.mark.parametrize(("length", "states", "least"), [(20, 1, 21), (10, 0, 21)])
def test_states_that_do_not_fit_the_window_are_refused(length, states, least):
    with pytest.raises(RecipeError) as caught:
        create_encoding("recurrence_plot", length, dimension=20)
    assert str(caught.value) == (
        f"recurrence_plot: a window of {length} candles holds {states} states of 20 values 1 candles apart, and an "
        f"image needs 2. Lower dimension or delay, or lengthen the window to {least} candles or more."
    )
