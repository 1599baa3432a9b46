import numpy as np
import torch

from triptych.inference.anomaly import evidence
from triptych.inference.anomaly.calibration import Calibration
from triptych.inference.anomaly.conditional import CrossChannelFilter


def test_bands_hold_all_bins_and_their_energies_sum_to_the_squared_error():
    edges = evidence.group_edges(16, 4)
    assert edges == (0, 2, 4, 7, 9)
    for rows in (15, 16):
        error = torch.randn(3, rows, 2)
        energies = evidence.band_energies(error, evidence.group_edges(rows, 4)).exp()
        torch.testing.assert_close(energies.sum(-1), error.square().mean(1), atol=1e-4, rtol=1e-4)


def test_a_wave_shows_in_its_band():
    t = torch.arange(16)
    error = torch.cos(2 * np.pi * 5 * t / 16).reshape(1, 16, 1)
    energies = evidence.band_energies(error, (0, 2, 4, 7, 9))[0, 0]
    assert int(energies.argmax()) == 2
    torch.testing.assert_close(float(energies[2].exp()), 0.5, atol=1e-4, rtol=0)
    assert evidence.band_names(16, 4) == (
        "waves of 16 to all rows", "waves of 5.33 to 8 rows", "waves of 2.67 to 4 rows", "waves of 2 to 2.29 rows",
    )  # fmt: skip


def test_a_frozen_feed_has_the_least_activity():
    x = torch.tensor([[[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]])
    activity = evidence.activity(x)[0]
    torch.testing.assert_close(activity, torch.log(torch.tensor([1e-6, 1.0])), atol=1e-5, rtol=0)


def test_a_rhythm_has_one_frequency():
    t = torch.arange(32)
    x = torch.stack([torch.sin(2 * np.pi * t / 4), torch.randn(32, generator=torch.Generator().manual_seed(0))], -1)[
        None
    ]
    shares = evidence.rhythm(x)[0].exp()
    assert float(shares[0]) > 0.99
    assert float(shares[1]) < 0.5


def test_what_is_unexplained_is_a_share():
    z = torch.randn(2, 16, 3)
    torch.testing.assert_close(evidence.unexplained(0.5 * z, z).exp(), torch.full((2, 3), 0.25), atol=1e-3, rtol=0)
    torch.testing.assert_close(evidence.unexplained(3 * z, 6 * z).exp(), torch.full((2, 3), 0.25), atol=1e-3, rtol=0)


def test_deviations_are_measured_by_the_tail_on_their_side():
    generator = np.random.default_rng(0)
    calibration = Calibration.of(generator.standard_normal((200_000, 1, 1)))
    out = calibration.deviations(np.array([-3.0, 0.0, 3.0, 99.0]).reshape(4, 1, 1), bound=12.0)
    np.testing.assert_allclose(out[:, 0, 0], [3.0, 0.0, 3.0, 12.0], atol=0.05)


def test_a_kind_that_never_changed_makes_any_change_large_and_finite():
    calibration = Calibration.of(np.full((100, 1, 1), 2.0))
    assert calibration.deviations(np.array([[[2.0]], [[2.5]]]), bound=12.0).ravel().tolist() == [0.0, 12.0]


def test_the_residual_of_a_channel_never_sees_the_channel():
    generator = np.random.default_rng(0)
    common = generator.standard_normal((300, 32, 1))
    windows = (common + 0.3 * generator.standard_normal((300, 32, 3))).astype(np.float32)
    fitted = CrossChannelFilter.learn([windows], 32, 4)
    diagonal = np.diagonal(fitted.filters, axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal, 1.0, atol=1e-5)
    residual = fitted.residual(torch.from_numpy(windows)).numpy()
    # Given two others of noise 0.3 each, about (0.09 + 0.045) / 1.09 of the variance is left.
    np.testing.assert_allclose(residual.var(), 0.135 / 1.09, rtol=0.25)
    apart = windows.copy()
    apart[:, :, 0] = generator.standard_normal((300, 32))
    assert fitted.residual(torch.from_numpy(apart)).numpy()[..., 0].var() > 1.0
