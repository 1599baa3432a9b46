import torch

from triptych.models.catch.normalisation import normalise, restore


def test_a_channel_is_measured_by_its_own_mean_and_biased_deviation():
    z, moments = normalise(torch.tensor([[[1.0, 5.0], [3.0, 5.0]]]))
    torch.testing.assert_close(z[0, :, 0], torch.tensor([-1.0, 1.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(moments.mean[0, 0], torch.tensor([2.0, 5.0]))


def test_a_flat_channel_becomes_zeros():
    z, _ = normalise(torch.full((1, 8, 1), 7.0))
    assert z.abs().max() == 0


def test_restoring_gives_the_windows_back():
    x = torch.randn(3, 16, 2) * 5 + 100
    torch.testing.assert_close(restore(*normalise(x)), x, atol=1e-4, rtol=0)
