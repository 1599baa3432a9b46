from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from triptych.backtest.bootstrap import (
    autocovariance,
    bootstrap_means,
    effective_observations,
    largest_block,
    optimal_block_length,
    percentile_bounds,
)


def autoregression(phi: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n + 200)
    values = np.zeros(n + 200)
    for t in range(1, n + 200):
        values[t] = phi * values[t - 1] + noise[t]
    return values[200:]


def plain_block_length(values: np.ndarray, scheme: str) -> float:
    """Politis & White (2004) with loops, for comparison."""
    n = len(values)
    centred = values - values.mean()

    def covariance(lag):
        return float(np.sum(centred[lag:] * centred[: n - lag])) / n

    threshold = 2 * np.sqrt(np.log10(n) / n)
    m = 1
    while any(abs(covariance(m + k) / covariance(0)) >= threshold for k in range(1, 6)):
        m += 1
    bandwidth, slope, density = 2 * m, 0.0, covariance(0)
    for lag in range(1, bandwidth + 1):
        share = lag / bandwidth
        weight = 1.0 if share <= 0.5 else 2 * (1 - share)
        slope += 2 * weight * lag * covariance(lag)
        density += 2 * weight * covariance(lag)
    factor = {"circular": 4 / 3, "stationary": 2.0}[scheme] * density**2
    return max(1.0, (2 * slope**2 / factor) ** (1 / 3) * n ** (1 / 3))


@pytest.mark.parametrize("scheme", ["circular", "stationary"])
@pytest.mark.parametrize(("phi", "seed"), [(0.0, 1), (0.3, 2), (0.6, 3), (0.8, 4), (-0.4, 5)])
def test_the_block_length_equals_that_of_the_plain_formula(phi, seed, scheme):
    values = autoregression(phi, 600, seed)
    assert optimal_block_length(values, scheme) == pytest.approx(plain_block_length(values, scheme))


def test_the_block_grows_with_dependence_and_stays_within_bounds():
    lengths = [optimal_block_length(autoregression(phi, 2000, 9)) for phi in (0.0, 0.5, 0.9, 0.99)]
    assert lengths == sorted(lengths)
    assert lengths[-1] <= largest_block(2000) == 135


@pytest.mark.parametrize("values", [np.ones(50), np.arange(5.0), np.zeros(0)])
def test_a_flat_or_short_series_is_drawn_one_by_one(values):
    assert optimal_block_length(values) == 1.0


def test_autocovariances_equal_those_of_the_definition():
    values = np.array([1.0, 3.0, 2.0, 6.0])  # centred: -2 0 -1 3
    assert autocovariance(values, 3).tolist() == pytest.approx([14 / 4, -3 / 4, 2 / 4, -6 / 4])


def test_effective_observations_of_an_autoregression_follow_theory():
    # n (1 - phi) / (1 + phi) = 20000 / 3
    found = effective_observations(autoregression(0.5, 20_000, 1), 60)
    assert found == pytest.approx(20_000 / 3, rel=0.1)


def test_effective_observations_never_exceed_the_series():
    assert effective_observations(autoregression(-0.5, 500, 1), 10) == 500.0
    assert effective_observations(np.zeros(7), 3) == 7.0


@pytest.mark.parametrize("scheme", ["circular", "stationary"])
def test_replicates_are_repeatable_and_centre_on_the_mean(scheme):
    values = np.column_stack([autoregression(0.5, 400, 2) + 7.0, np.full(400, 3.0)])

    def draw(seed):
        generator = np.random.default_rng(seed)
        return bootstrap_means(values, block_length=9, replicates=4000, generator=generator, scheme=scheme)

    drawn = draw(1)
    assert drawn.shape == (4000, 2)
    np.testing.assert_array_equal(drawn, draw(1))
    assert not np.array_equal(drawn, draw(2))
    assert drawn[:, 0].mean() == pytest.approx(values[:, 0].mean(), abs=4 * drawn[:, 0].std() / np.sqrt(4000))
    np.testing.assert_allclose(drawn[:, 1], 3.0)


@pytest.mark.parametrize("scheme", ["circular", "stationary"])
def test_blocks_of_one_have_the_variance_of_independent_draws(scheme):
    values = np.random.default_rng(3).standard_normal((300, 1))
    drawn = bootstrap_means(
        values, block_length=1, replicates=20_000, generator=np.random.default_rng(4), scheme=scheme
    )
    assert drawn.std() == pytest.approx(values.std() / np.sqrt(300), rel=0.03)


@pytest.mark.parametrize("block", [1, 3, 7, 10, 30])
def test_every_circular_replicate_is_a_mean_of_whole_blocks(block):
    # values 1, 2, 4, ... make every sum of blocks unique: compare with blocks gathered by index
    values = np.random.default_rng(6).standard_normal(30)
    blocks = -(-30 // block)
    starts = np.random.default_rng(8).integers(0, 30, size=(50, blocks))
    expected = [
        np.concatenate([values[(start + np.arange(block)) % 30] for start in row])[:30].mean() for row in starts
    ]
    drawn = bootstrap_means(values[:, None], block_length=block, replicates=50, generator=np.random.default_rng(8))
    np.testing.assert_allclose(drawn[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("scheme", ["circular", "stationary"])
@pytest.mark.parametrize(("phi", "least"), [(0.0, 0.92), (0.5, 0.90)])
def test_intervals_of_an_autoregression_cover_the_true_mean(phi, least, scheme):
    hits = 0
    for seed in range(200):
        values = autoregression(phi, 600, 1000 + seed)
        block = round(optimal_block_length(values, scheme))
        generator = np.random.default_rng(seed)
        drawn = bootstrap_means(
            values[:, None], block_length=block, replicates=300, generator=generator, scheme=scheme
        )[:, 0]
        low, high = percentile_bounds(drawn, value=float(values.mean()), blocks=600 / block, level=0.95)
        hits += low <= 0 <= high
    assert least <= hits / 200 <= 0.98


def test_blocks_of_one_are_too_narrow_where_returns_depend_on_one_another():
    hits = 0
    for seed in range(200):
        values = autoregression(0.5, 1000, 1000 + seed)
        drawn = bootstrap_means(values[:, None], block_length=1, replicates=300, generator=np.random.default_rng(seed))[
            :, 0
        ]
        low, high = percentile_bounds(drawn, value=float(values.mean()), blocks=400, level=0.95)
        hits += low <= 0 <= high
    assert hits / 200 < 0.85


def test_few_blocks_widen_the_interval_as_students_t_does():
    drawn = np.linspace(-1.0, 1.0, 2001)
    low, high = percentile_bounds(drawn, value=0.0, blocks=10, level=0.95)
    stretch = stats.t.ppf(0.975, 9) / stats.norm.ppf(0.975) * np.sqrt(10 / 9)
    assert (low, high) == pytest.approx((-0.95 * stretch, 0.95 * stretch))
