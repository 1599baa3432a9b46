import torch

from triptych.models.catch.heads import FactoredHeads, InverseTransform
from triptych.models.catch.spectrum import Spectrum


def test_an_untrained_inverse_is_the_inverse_transform():
    for length in (32, 33):
        z = torch.randn(2, length, 3)
        real, imaginary = Spectrum(length, 8, 4).transform(z)
        torch.testing.assert_close(InverseTransform(length)(real, imaginary), z, atol=1e-5, rtol=1e-5)


def test_the_folded_matrix_is_transform_then_layer():
    inverse = InverseTransform(16)
    with torch.no_grad():
        inverse.mix.weight.normal_(generator=torch.Generator().manual_seed(1))
        inverse.mix.bias.normal_(generator=torch.Generator().manual_seed(2))
    real, imaginary = torch.randn(2, 2, 3, 9)
    separately = inverse.mix(torch.fft.irfft(torch.complex(real, imaginary), n=16, norm="ortho"))
    torch.testing.assert_close(inverse(real, imaginary), separately.transpose(1, 2), atol=1e-4, rtol=1e-4)


def test_a_band_tells_other_bands_only_through_the_mixing():
    spectrum = Spectrum(32, 4, 4)
    tokens = torch.randn(1, spectrum.bands, 2, 8)
    other = tokens.clone()
    other[:, 0] += 1.0
    for rank, hears in ((0, False), (2, True)):
        heads = FactoredHeads(spectrum, 8, 1, rank)
        if rank:
            torch.nn.init.ones_(heads.real.layers[0].up_PR)
        changed = (heads(tokens)[0] - heads(other)[0]).abs()[..., 4:].max() > 0
        assert bool(changed) is hears
