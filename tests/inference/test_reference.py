import numpy as np
import pytest

from triptych.inference.reference import quantiles_of, window_statistics


def test_the_statistics_of_a_window_are_its_return_its_mean_range_and_its_last_volume():
    window = np.array([[[10, 12, 8, 10, 1], [10, 22, 18, 20, 3]]], dtype=float)
    found = {name: values.tolist() for name, values in window_statistics(window).items()}
    assert found["window_return"] == pytest.approx([np.log(2)])
    assert found["window_range"] == pytest.approx([(0.4 + 0.2) / 2])
    assert found["window_volume"] == pytest.approx([np.log(4 / 3)])


def test_quantiles_run_from_the_least_to_the_greatest_finite_value():
    values = quantiles_of(np.array([*range(101), np.nan]))
    assert values == tuple(float(one) for one in range(101))
    assert quantiles_of(np.arange(49.0)) == ()
