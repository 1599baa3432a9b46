import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from triptych.models.catch.spectrum import Spectrum, count_bands


def test_the_number_of_bands_counts_the_one_that_reaches_beyond_the_end():
    assert count_bands(97, 16, 8) == 12
    assert count_bands(96, 16, 8) == 11
    assert count_bands(5, 16, 8) == 1


@given(length=st.integers(8, 80), size=st.integers(1, 20), data=st.data())
def test_every_bin_lies_in_a_band_and_joining_gives_the_spectrum_back(length, size, data):
    stride = data.draw(st.integers(1, size))
    spectrum = Spectrum(length, size, stride)
    z = torch.randn(2, length, 3, generator=torch.Generator().manual_seed(1))
    real, imaginary = spectrum.transform(z)
    bands = spectrum.split(real, imaginary)
    assert bands.shape == (2, spectrum.bands, 3, 2 * size)
    torch.testing.assert_close(spectrum.join(bands[..., :size]), real)
    torch.testing.assert_close(spectrum.join(bands[..., size:]), imaginary)


def test_the_transform_is_unitary_and_of_the_real_half():
    z = torch.tensor([1.0, -1.0] * 4).reshape(1, 8, 1)
    real, imaginary = Spectrum(8, 4, 2).transform(z)
    torch.testing.assert_close(real[0, 0], torch.tensor([0, 0, 0, 0, 8**0.5]), atol=1e-6, rtol=0)
    torch.testing.assert_close(imaginary[0, 0], torch.zeros(5), atol=1e-6, rtol=0)


@pytest.mark.parametrize("length", [32, 33])
def test_the_matrix_that_graphs_use_is_the_same_transform(length):
    spectrum = Spectrum(length, 8, 4)
    z = torch.randn(2, length, 3)
    real, imaginary = spectrum.transform(z)
    both = z.transpose(1, 2) @ spectrum._waves
    torch.testing.assert_close(both, torch.cat([real, imaginary], -1), atol=1e-5, rtol=1e-5)
