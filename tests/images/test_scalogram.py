from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding


def scalogram(length: int, **options: object):
    return create_encoding("scalogram", length, **options)


def window_of(closes: list[float] | np.ndarray) -> torch.Tensor:
    """One window whose closes are these and whose other fields do not matter."""
    close = torch.tensor(np.asarray(closes), dtype=torch.float64)
    return torch.stack([close, close + 1, close - 1, close, torch.ones_like(close)], dim=-1)[None]


def reference(x: np.ndarray, scales: np.ndarray, wavelet: str) -> np.ndarray:
    """|W| as a share of its maximum by the definition: candle by candle, over a window mirrored by NumPy, uncut."""
    length = len(x)
    margin = 8 * math.ceil(scales.max())
    padded = np.pad(x - x.mean(), margin, mode="reflect")
    u = np.arange(-margin, length + margin)
    magnitude = np.empty((len(scales), length))
    for i, scale in enumerate(scales):
        for t in range(length):
            v = (u - t) / scale
            bell = np.exp(-(v**2) / 2)
            if wavelet == "morlet":
                psi = np.pi**-0.25 * (np.exp(6j * v) - np.exp(-18.0)) * bell
            else:
                psi = 2 / (np.sqrt(3) * np.pi**0.25) * (1 - v**2) * bell
            magnitude[i, t] = abs(np.sum(padded * np.conj(psi)) / np.sqrt(scale))
    return magnitude / magnitude.max()


PERIOD_OF_SCALE_1 = {"morlet": 1.033044, "ricker": 3.973835}
"""Candles; table 1 of Torrence and Compo."""


@pytest.mark.parametrize("wavelet", ["morlet", "ricker"])
@pytest.mark.parametrize(("length", "longest"), [(60, 12.0), (24, 30.0)])
def test_magnitudes_are_those_of_the_definition(walk, wavelet, length, longest):
    window = walk(2, length)
    periods = 2.0 * (longest / 2.0) ** (np.arange(9) / 8)
    image = scalogram(length, series=("close",), wavelet=wavelet, height=9, longest=longest)(window)
    for i in range(2):
        expected = reference(window[i, :, 3].numpy(), periods / PERIOD_OF_SCALE_1[wavelet], wavelet)
        np.testing.assert_allclose(image[i, 0], expected, rtol=0, atol=5e-5)


def test_a_jump_of_one_candle_shows_the_wavelet_itself():
    # The mean, one of 101, is so small that it does not matter; the wavelet of scale 2 is 1 - v^2 times a bell.
    window = window_of([1.0] * 101)
    window[..., 4] = 0.0
    window[0, 50, 4] = 1.0
    shortest = 2 * PERIOD_OF_SCALE_1["ricker"]
    image = scalogram(101, series=("volume",), wavelet="ricker", height=2, shortest=shortest, longest=16.0)(window)
    row = image[0, 0, 0]
    assert row[50] == 1
    for distance in (1, 2, 3, 5):
        v = distance / 2
        assert row[50 + distance] == pytest.approx(abs(1 - v * v) * math.exp(-v * v / 2), abs=1e-2)
        assert row[50 - distance] == pytest.approx(float(row[50 + distance]), abs=1e-6)


@pytest.mark.parametrize("wavelet", ["morlet", "ricker"])
@pytest.mark.parametrize("period", [6.0, 10.0, 16.0])
def test_a_swing_is_brightest_at_its_own_period(wavelet, period):
    window = window_of(100 + np.sin(2 * np.pi * np.arange(161) / period))
    encoding = scalogram(161, series=("close",), wavelet=wavelet, height=200, longest=40.0)
    power_S = encoding(window)[0, 0, :, 60:101].square().mean(dim=1)
    # Of a pure swing |W|^2 is s times the square of the wavelet's spectrum. For Morlet it is largest at the period of
    # table 1; for Ricker s^5 exp(-s^2 w^2) is largest at s w = sqrt(5 / 2), which is that of table 1 too.
    assert encoding.periods[int(power_S.argmax())] == pytest.approx(period, rel=0.02)


def test_more_cycles_tell_neighbouring_periods_better_apart():
    window = window_of(100 + np.sin(2 * np.pi * np.arange(161) / 10))
    few, many = (
        float((scalogram(161, series=("close",), cycles=cycles)(window)[0, 0, :, 80] > 0.5).double().mean())
        for cycles in (4.0, 12.0)
    )
    assert many < 0.5 * few


def test_rows_are_periods_in_equal_ratios_the_shortest_on_top():
    encoding = scalogram(64, wavelet="ricker", height=4, longest=16.0)
    assert encoding.periods == pytest.approx((2, 4, 8, 16))
    scales = [period / PERIOD_OF_SCALE_1["ricker"] for period in (2, 4, 8, 16)]
    assert encoding.cone_of_influence == pytest.approx([scale * math.sqrt(2) for scale in scales], rel=1e-6)


@pytest.mark.parametrize(
    ("length", "shortest", "longest"), [(60, 2.0, 20.0), (100, 2.0, 100 / 3), (9, 2.0, 4.0), (30, 8.0, 16.0)]
)
def test_the_longest_period_is_a_third_of_the_window_and_at_least_twice_the_shortest(length, shortest, longest):
    assert scalogram(length, shortest=shortest).periods[-1] == pytest.approx(longest)


def test_a_mirrored_window_gives_a_mirrored_image(walk):
    window = walk(1, 50)
    encoding = scalogram(50, series=("close",))
    assert torch.allclose(encoding(window).flip(dims=(3,)), encoding(window.flip(dims=(1,))), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("intensity", "of_magnitude"),
    [("power", lambda m: m**2), ("decibels", lambda m: (1 + 20 * np.log10(m.clip(1e-9)) / 40).clip(0, 1))],
)
def test_intensity_is_a_share_of_the_maximum(walk, intensity, of_magnitude):
    window = walk(2, 40)
    magnitude = scalogram(40)(window)
    assert magnitude.amax(dim=(1, 2, 3)).tolist() == [1, 1]
    image = scalogram(40, intensity=intensity)(window)
    np.testing.assert_allclose(image, of_magnitude(magnitude.numpy()), rtol=0, atol=1e-9)


def test_the_image_is_resized_as_torch_does(walk):
    window = walk(2, 48)
    small = scalogram(48)(window)
    assert small.shape == (2, 1, 64, 48)
    for width in (20, 100):
        expected = F.interpolate(small, size=(64, width), mode="bilinear", antialias=True)
        np.testing.assert_allclose(scalogram(48, width=width)(window), expected, rtol=0, atol=1e-6)
        nearest = scalogram(48, width=width, resampling="nearest")(window)
        assert torch.equal(nearest, F.interpolate(small, size=(64, width), mode="nearest-exact"))


def test_series_are_channels_of_their_own(walk):
    window = walk(2, 40)
    both = scalogram(40, series=("log_range", "volume"))(window)
    for channel, series in enumerate(("log_range", "volume")):
        assert torch.allclose(both[:, channel], scalogram(40, series=(series,))(window)[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("wavelet", ["morlet", "ricker"])
def test_single_precision_draws_what_double_precision_does(walk, wavelet):
    window = walk(5, 50).float()
    encoding = scalogram(50, wavelet=wavelet)
    image = encoding(window)
    assert image.dtype == torch.float32
    # In float32 the logarithms of returns are rounded, too.
    assert torch.allclose(image.double(), encoding(window.double()), rtol=0, atol=2e-5)


def test_a_series_without_movement_is_0_and_one_of_tiny_or_huge_movement_is_not():
    still = torch.full((1, 32, 5), 1e5, dtype=torch.float32)
    image = scalogram(32, series=("close", "log_return", "volume"), intensity="decibels")(still)
    assert torch.equal(image, torch.zeros_like(image))
    moving = window_of(100 + np.sin(np.arange(32)))
    for scale in (1e-25, 1e25):
        assert scalogram(32, series=("close",))((moving * scale).float()).max() == 1


@pytest.mark.parametrize("wavelet", ["morlet", "ricker"])
@pytest.mark.parametrize("intensity", ["magnitude", "power", "decibels"])
def test_gradients_are_those_of_finite_differences(wavelet, intensity):
    window = window_of([1.0, 4.0, 5.5, 2.0, 3.0, 7.0]).requires_grad_()
    encoding = scalogram(6, series=("close",), wavelet=wavelet, height=3, intensity=intensity, range_db=80.0)
    assert torch.autograd.gradcheck(encoding, (window,), atol=1e-5)


def test_periods_that_do_not_rise_are_refused():
    with pytest.raises(RecipeError) as caught:
        scalogram(64, shortest=8.0, longest=8.0)
    assert str(caught.value) == (
        "scalogram: the longest period of 8 candles is not longer than the shortest of 8. "
        "Raise longest or lower shortest."
    )


def test_a_period_that_no_window_can_show_is_refused():
    with pytest.raises(RecipeError) as caught:
        scalogram(64, longest=129.0)
    assert str(caught.value) == (
        "scalogram: a period of 129 candles cannot be seen in a window of 64. "
        "Set longest to 128 or less (better a third of the window), or lengthen the window."
    )


def test_a_default_that_does_not_fit_a_short_window_is_not_kept_quiet():
    with pytest.raises(RecipeError) as caught:
        scalogram(10, shortest=12.0)
    assert str(caught.value) == (
        "scalogram: a period of 24 candles cannot be seen in a window of 10. "
        "Set longest to 20 or less (better a third of the window), or lengthen the window."
    )


def test_windows_in_double_precision_meet_constants_in_double_precision(walk):
    encoding = create_encoding("scalogram", 61)
    wave = encoding._constants("waves", walk(1, 61))[0, 7, 5].item()
    assert wave == pytest.approx(math.cos(math.pi * 35 / 60), abs=1e-15)
    window = walk(3, 61)
    plain = encoding(window.clone().requires_grad_()).detach()
    assert (encoding(window) - plain).abs().max() < 5e-8  # faint frequencies are left out, of scales one by one or not
