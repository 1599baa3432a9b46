import numpy as np
import torch

from triptych.inference.anomaly import evidence
from triptych.inference.anomaly.calibration import Calibration


def test_bands_hold_all_bins_and_their_energies_sum_to_the_squared_error():
    edges = evidence.group_edges(16, 4)
    assert edges == (0, 2, 4, 7, 9)
    for rows in (15, 16):
        error = torch.randn(3, rows, 2)
        energies = evidence.band_energies(error, evidence.group_edges(rows, 4)).exp()
        torch.testing.assert_close(energies.sum(-1), error.double().square().mean(1), atol=1e-4, rtol=1e-4)


def test_a_quiet_band_beside_a_loud_one_is_not_left_to_rounding():
    t = torch.arange(16)
    quiet = 2e-3 * torch.cos(np.pi * t)  # the fastest wave
    loud = 5.0 * torch.cos(2 * np.pi * 3 * t / 16)
    alone, together = (evidence.band_energies(x.reshape(1, 16, 1), (0, 7, 9))[0, 0, 1] for x in (quiet, quiet + loud))
    torch.testing.assert_close(together, alone, atol=2e-3, rtol=0)


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


def test_deviations_are_measured_by_the_tail_on_their_side():
    generator = np.random.default_rng(0)
    calibration = Calibration.of(generator.standard_normal((200_000, 1, 1)))
    out = calibration.deviations(np.array([-3.0, 0.0, 3.0, 99.0]).reshape(4, 1, 1), bound=12.0)
    np.testing.assert_allclose(out[:, 0, 0], [3.0, 0.0, 3.0, 12.0], atol=0.05)


def test_a_kind_that_never_changed_makes_any_change_large_and_finite():
    calibration = Calibration.of(np.full((100, 1, 1), 2.0))
    assert calibration.deviations(np.array([[[2.0]], [[2.5]]]), bound=12.0).ravel().tolist() == [0.0, 12.0]


def test_kinds_on_a_natural_scale_share_the_measure_of_their_greatest_channel():
    evidence = np.random.default_rng(0).uniform(0.0, [[[1.0], [4.0]]], (10_000, 2, 1))
    alone = Calibration.of(evidence).deviations(np.full((1, 2, 1), 0.99), bound=9.0).ravel()
    together = Calibration.of(evidence, together=np.array([True]))
    np.testing.assert_allclose(alone[0], 2.3, atol=0.1)
    np.testing.assert_allclose(together.deviations(np.full((1, 2, 1), 3.96), bound=9.0).ravel(), 2.3263, atol=0.05)
    np.testing.assert_allclose(together.deviations(np.full((1, 2, 1), 0.99), bound=9.0).ravel(), 0.58, atol=0.05)


def test_errors_of_foretold_rows_count_in_their_scales():
    x = torch.zeros(1, 10, 1)
    x[0, -4:, 0] = torch.tensor([1.0, 2.0, -4.0, 40.0])
    told = torch.zeros(1, 4, 1, 2)
    told[0, :, 0, 0] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    told[0, :, 0, 1] = torch.log(torch.tensor([1.0, 1.0, 2.0, 4.0]))
    # errors in scales: 0, 2, -2, 10, of which 6 are averaged
    found = evidence.foretold(x, told, 8)[0, 0]
    torch.testing.assert_close(found, torch.tensor([10.0, 1.5, np.log(20.001)], dtype=torch.float32))
