from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding


def spectrogram(length: int, **options: object):
    return create_encoding("spectrogram", length, **options)


def both_paths(window: torch.Tensor, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The image as it is drawn on the CPU, and by tensor operations, which a window that needs a gradient gets."""
    encoding = spectrogram(window.shape[1], **options)
    return encoding(window), encoding(window.detach().clone().requires_grad_()).detach()


def window_of(closes: list[float] | np.ndarray) -> torch.Tensor:
    """One window whose closes are these and whose other fields do not matter."""
    close = torch.tensor(np.asarray(closes), dtype=torch.float64)
    return torch.stack([close, close + 1, close - 1, close, torch.ones_like(close)], dim=-1)[None]


def swing(length: int, period: float) -> torch.Tensor:
    return window_of(100 + np.sin(2 * np.pi * np.arange(length) / period))


def test_magnitudes_are_those_of_a_transform_by_hand():
    # Less their mean, 3, the closes are -2, 1, 2, -1; neighbours differ by 3, 1 and 3, and their sums are 1, 3 and 1.
    images = both_paths(
        window_of([1, 4, 5, 2]), series=("close",), segment=2, n_fft=2, taper="rectangular", padding="none"
    )
    for image in images:
        np.testing.assert_allclose(image[0, 0], [[1, 1 / 3, 1], [1 / 3, 1, 1 / 3]], atol=1e-12)


@pytest.mark.parametrize(
    ("intensity", "expected"),
    [("magnitude", 1 / 3), ("power", 1 / 9), ("decibels", 1 - 20 * np.log10(3) / 25)],
)
def test_intensity_is_a_share_of_the_maximum(intensity, expected):
    images = both_paths(
        window_of([1, 4, 5, 2]), series=("close",), segment=2, n_fft=2, taper="rectangular", padding="none",
        intensity=intensity, range_db=25.0,
    )  # fmt: skip
    for image in images:
        np.testing.assert_allclose(image[0, 0, 0], [1, expected, 1], atol=1e-12)


def test_what_lies_below_the_range_of_decibels_is_0():
    images = both_paths(swing(64, 8.0), series=("close",), intensity="decibels", range_db=3.0)
    for image in images:
        assert image.min() == 0
        assert image.max() == 1
        assert 0.05 < (image > 0).double().mean() < 0.5


@pytest.mark.parametrize("taper", ["hann", "hamming", "blackman", "rectangular"])
@pytest.mark.parametrize(("segment", "n_fft"), [(16, 16), (12, 12), (16, 64), (10, 24), (9, 9), (7, 15)])
@pytest.mark.parametrize("hop", [1, 3])
@pytest.mark.parametrize("series", ["close", "log_return", "volume"])
def test_segments_inside_the_window_equal_those_of_torch(walk, taper, segment, n_fft, hop, series):
    window = walk(3, 61)
    x = _values(window, series)
    theirs = _stft(x[:, (61 - segment) % hop :], segment, n_fft, hop, taper, center=False)
    images = both_paths(
        window, series=(series,), segment=segment, n_fft=n_fft, hop=hop, taper=taper, padding="none", detrend="none"
    )
    for image in images:
        np.testing.assert_allclose(image[:, 0], theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("segment", [16, 11, 32])
@pytest.mark.parametrize("hop", [1, 4])
def test_mirrored_segments_equal_the_centred_ones_of_torch(walk, segment, hop):
    window = walk(3, 61)  # 60 is a multiple of both hops: torch's segments stand around the same candles
    x = _values(window, "log_return")
    theirs = _stft(x - x.mean(dim=1, keepdim=True), segment, segment, hop, "hann", center=True)
    for image in both_paths(window, segment=segment, n_fft=segment, hop=hop):
        assert image.shape[-1] == 60 // hop + 1
        np.testing.assert_allclose(image[:, 0], theirs, rtol=0, atol=1e-6)


def _values(window: torch.Tensor, series: str) -> torch.Tensor:
    if series == "log_return":
        before = torch.cat([window[:, :1, 0], window[:, :-1, 3]], dim=1)
        return torch.log(window[..., 3] / before)
    return window[..., {"close": 3, "volume": 4}[series]]


def _stft(x: torch.Tensor, segment: int, n_fft: int, hop: int, taper: str, *, center: bool) -> np.ndarray:
    """Magnitudes by torch as shares of the largest, highest frequency first; segments may be shorter than `n_fft`."""
    make = {"hann": torch.hann_window, "hamming": torch.hamming_window, "blackman": torch.blackman_window}
    weights = torch.ones(segment) if taper == "rectangular" else make[taper](segment)
    if not center:
        # torch puts a short taper into the middle of the transform: room for it on both sides.
        left = (n_fft - segment) // 2
        x = F.pad(x, (left, n_fft - segment - left))
    spectrum = torch.stft(
        x, n_fft, hop, win_length=segment, window=weights.double(), center=center, pad_mode="reflect",
        return_complex=True,
    ).abs()[..., : (x.shape[1] - 1) // hop + 1]  # fmt: skip
    return (spectrum / spectrum.amax(dim=(1, 2), keepdim=True)).flip(dims=(1,)).numpy()


@pytest.mark.parametrize("period", [16.0, 8.0, 4.0, 2.5])
def test_a_swing_is_brightest_in_the_row_of_its_frequency(period):
    (row_of_most,) = {
        int(image[0, 0, :, 32].argmax()) for image in both_paths(swing(64, period), series=("close",), n_fft=64)
    }
    assert row_of_most == pytest.approx(32 - 64 / period, abs=1)  # rows from the top: frequencies 32 / 64 down to 0


def test_the_last_segment_reaches_the_last_candle_whatever_the_hop():
    window = window_of([100.0] * 40 + [101.0] * 2)
    for padding, n_segments in (("none", 4), ("reflect", 6)):
        image = spectrogram(42, hop=8, padding=padding, detrend="none")(window)
        assert image.shape == (1, 1, 65, n_segments)
        assert image[0, 0, :, -1].max() == 1
        assert image[0, 0, :, :-1].max() < 0.5


def test_the_image_is_resized_as_torch_does(walk):
    window = walk(2, 48)
    small = spectrogram(48)(window)
    assert small.shape == (2, 1, 65, 48)
    for size in ((64, 64), (20, 30), (65, 96), (11, 48)):
        bilinear, _ = both_paths(window, height=size[0], width=size[1])
        np.testing.assert_allclose(
            bilinear, F.interpolate(small, size=size, mode="bilinear", antialias=True), rtol=0, atol=1e-6
        )
        nearest, _ = both_paths(window, height=size[0], width=size[1], resampling="nearest")
        assert torch.equal(nearest, F.interpolate(small, size=size, mode="nearest-exact"))


def test_series_are_channels_of_their_own(walk):
    window = walk(2, 40)
    both = spectrogram(40, series=("log_range", "volume"))(window)
    for channel, series in enumerate(("log_range", "volume")):
        assert torch.equal(both[:, channel], spectrogram(40, series=(series,))(window)[:, 0])


def test_a_series_without_movement_is_0_and_one_of_tiny_or_huge_movement_is_not():
    still = torch.full((1, 32, 5), 1e5, dtype=torch.float32)
    for image in both_paths(still, series=("close", "log_return", "volume"), intensity="decibels"):
        assert torch.equal(image, torch.zeros_like(image))
    for scale in (1e-25, 1e25):
        for image in both_paths((swing(32, 4.0) * scale).float(), series=("close",)):
            assert image.max() == 1


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("intensity", ["magnitude", "power", "decibels"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"segment": 8, "hop": 3, "padding": "none", "series": ("close", "volume")},
        {"height": 48, "width": 30},
        {"height": 50, "resampling": "nearest", "segment": 33, "n_fft": 33},
    ],
)
def test_both_paths_draw_the_same_image(walk, options, intensity, dtype, tolerance):
    drawn, composed = both_paths(walk(5, 50).to(dtype), intensity=intensity, **options)
    assert torch.allclose(drawn, composed, rtol=0, atol=tolerance)


@pytest.mark.parametrize("intensity", ["magnitude", "power", "decibels"])
def test_gradients_are_those_of_finite_differences(intensity):
    window = window_of([1.0, 4.0, 5.5, 2.0, 3.0, 7.0]).requires_grad_()
    encoding = spectrogram(6, series=("close",), segment=4, n_fft=4, intensity=intensity, range_db=80.0)
    assert torch.autograd.gradcheck(encoding, (window,), atol=1e-5)


def test_a_segment_longer_than_the_window_is_refused():
    with pytest.raises(RecipeError) as caught:
        spectrogram(20, segment=32)
    assert str(caught.value) == (
        "spectrogram: a segment of 32 candles is longer than the window of 20. "
        "Set segment to 20 or less (better a quarter of it), or lengthen the window."
    )


def test_a_transform_shorter_than_the_segment_is_refused():
    with pytest.raises(RecipeError) as caught:
        spectrogram(64, segment=32, n_fft=16)
    assert str(caught.value) == (
        "spectrogram: a transform of 16 points cannot hold a segment of 32 candles. "
        "Set n_fft to 32 or more, or shorten the segment."
    )
