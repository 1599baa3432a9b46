import math

import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.live.monitoring import DriftWatch, population_stability_index
from triptych.live.monitoring.drift import Config


def test_the_index_is_the_sum_over_bins():
    # Two bins of equal share in the reference; now a quarter and three quarters.
    reference, recent = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 3.0, 4.0])
    expected = (0.25 - 0.5) * math.log(0.25 / 0.5) + (0.75 - 0.5) * math.log(0.75 / 0.5)
    assert population_stability_index(reference, recent, bins=2) == pytest.approx(expected)


def test_the_same_values_have_index_0_and_a_new_range_a_large_one():
    values = np.random.default_rng(0).normal(size=1_000)
    assert population_stability_index(values, values) == 0
    assert population_stability_index(values, values + 10) > 5
    assert population_stability_index(np.ones(50), np.ones(70)) == 0
    assert population_stability_index(np.ones(50), np.zeros(70)) > 5


def test_nothing_cannot_be_compared():
    with pytest.raises(NotEnoughData, match="needs values of then and of now"):
        population_stability_index(np.array([]), np.ones(3))


def watch(values, reference=None, **config):
    one = DriftWatch("confidence", Config(window=200, **config), reference)
    changes = [i for i, value in enumerate(values) if one.update(value)]
    return one.view(), changes


def test_a_stream_that_stays_as_it_was_raises_nothing():
    rng = np.random.default_rng(1)
    view, changes = watch(rng.normal(size=600), rng.normal(size=2_000))
    assert view.psi < 0.1
    assert view.reasons == ()
    assert changes == []


def test_a_stream_that_moves_is_named_by_all_three():
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(size=500), rng.normal(2, size=300)])
    view, changes = watch(values, rng.normal(size=2_000))
    assert view.psi > 1
    assert view.ks == pytest.approx(0.68, abs=0.08)  # two normals two deviations apart: 2 Phi(1) - 1
    assert [reason.split(":")[0] for reason in view.reasons] == ["confidence"] * 2
    assert 500 < changes[0] < 600


def test_without_a_reference_the_first_window_becomes_it():
    rng = np.random.default_rng(3)
    view, _ = watch(rng.normal(size=399))
    assert math.isnan(view.psi)
    view, _ = watch(np.concatenate([rng.normal(size=200), rng.normal(3, size=200)]))
    assert view.psi > 1


def test_values_that_are_no_numbers_are_passed_over():
    one = DriftWatch("x", Config(window=50), np.zeros(10))
    assert one.update(float("nan")) is False
    assert len(one._recent) == 0
