import numpy as np
import pytest

from triptych.training.intervals import (
    block_counts,
    default_block_length,
    interval,
    label_span,
    resample_weights,
    widening,
)


@pytest.mark.parametrize("kind", ["moving", "stationary"])
@pytest.mark.parametrize(("n", "block"), [(50, 7), (50, 50), (50, 1), (1, 1), (10, 4)])
def test_every_resample_draws_as_many_times_as_there_are(kind, n, block):
    counts = block_counts(n, block, 40, np.random.default_rng(0), kind)
    assert counts.shape == (n, 40)
    assert (counts.sum(axis=0) == n).all()
    assert (counts >= 0).all()


def test_a_moving_block_is_consecutive_and_goes_round_the_end():
    counts = block_counts(10, 5, 200, np.random.default_rng(1))
    # Two blocks of five: the changes of the count round the circle are at most two up and two down.
    steps = np.diff(np.vstack([counts, counts[:1]]), axis=0)
    assert (np.abs(steps).sum(axis=0) <= 4).all()
    assert (steps != 0).any()


@pytest.mark.parametrize("kind", ["moving", "stationary"])
def test_every_time_is_drawn_equally_often(kind):
    counts = block_counts(30, 8, 20_000, np.random.default_rng(2), kind)
    np.testing.assert_allclose(counts.mean(axis=1), 1.0, atol=0.05)


def test_stationary_blocks_have_the_mean_length():
    counts = block_counts(2000, 20, 50, np.random.default_rng(3), "stationary")
    # The variance of the counts grows with the length of the blocks.
    variance = counts.var()
    moving = block_counts(2000, 20, 50, np.random.default_rng(3)).var()
    assert variance == pytest.approx(moving, rel=0.35)


def test_instruments_of_one_time_are_drawn_together():
    time_ms = np.array([10, 20, 30, 40, 10, 20, 30, 40])
    (weights,) = resample_weights(time_ms, 2, 100, seed=0)
    assert (weights[:4] == weights[4:]).all()


def test_the_same_seed_draws_the_same_resamples():
    time_ms = np.arange(30)
    one, two, other = (next(resample_weights(time_ms, 5, 20, seed)) for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()


def test_portions_hold_the_resamples_asked_for():
    time_ms = np.arange(30_000)
    portions = list(resample_weights(time_ms, 50, 300, seed=0))
    assert len(portions) > 1
    assert sum(p.shape[1] for p in portions) == 300


def test_the_span_of_labels_is_counted_in_decision_times():
    assert label_span(np.array([0, 10, 20, 30, 40]), np.array([20, 30, 40, 50, 60])) == 2
    assert label_span(np.array([0, 10, 20, 0, 10]), np.array([5, 15, 25, 30, 12])) == 3
    assert label_span(np.array([0]), np.array([5])) == 1


@pytest.mark.parametrize(("n", "span", "expected"), [(5000, 8, 32), (5000, 1, 18), (100, 8, 10), (50, 8, 8), (3, 8, 3)])
def test_default_blocks_are_four_horizons_less_on_short_histories_never_under_one(n, span, expected):
    assert default_block_length(n, span) == expected


def test_an_interval_is_moved_onto_the_value_and_cut_to_the_range():
    draws = np.linspace(0.2, 0.4, 1001)
    found = interval(0.1, draws, 0.9, (0.0, 1.0))
    assert (found.low, found.high) == pytest.approx((0.01, 0.19))
    assert interval(0.05, draws, 0.9, (0.0, 1.0)).low == 0.0


def test_a_value_undefined_on_most_resamples_has_no_interval():
    draws = np.array([np.nan, np.nan, np.nan, 0.5])
    assert np.isnan(interval(0.5, draws, 0.95, (0, 1)).low)
    assert np.isnan(interval(np.nan, np.zeros(4), 0.95, (0, 1)).high)


def test_widening_makes_up_for_short_blocks_and_few_of_them():
    # 100 blocks of 1: sqrt(100 / 99) and Student's 97.5 % quantile with 99 degrees of freedom, 1.98422, over 1.95996.
    assert widening(100, 1, 1, 0.95) == pytest.approx(1.98422 / 1.95996 * np.sqrt(100 / 99), rel=1e-5)
    # Blocks of four spans of 10: the variance is seen at 1 - 9.9 / 120 of its size.
    many = widening(400_000, 40, 10, 0.95)
    assert many == pytest.approx(1 / np.sqrt(1 - 9.9 / 120), rel=1e-3)
    assert widening(120, 40, 10, 0.95) > 2 * many
    assert np.isfinite(widening(10, 10, 10, 0.95))


def test_stretched_deviations_still_end_at_the_range():
    found = interval(0.5, np.linspace(0.4, 0.6, 1001), 0.9, (0.0, 0.6), 2.0)
    assert (found.low, found.high) == pytest.approx((0.32, 0.6))


@pytest.mark.parametrize(("horizon", "n", "naive_at_most"), [(10, 800, 0.65), (4, 280, 0.85), (24, 600, 0.5)])
def test_block_intervals_hold_their_level_under_overlapping_labels_and_naive_ones_do_not(horizon, n, naive_at_most):
    random = np.random.default_rng(11)
    block = default_block_length(n, horizon)
    drawn = {
        name: np.concatenate(list(resample_weights(np.arange(n), length, 300, seed=1)), axis=1)
        for name, length in (("block", block), ("naive", 1))
    }
    stretch = {"block": widening(n, block, horizon, 0.95), "naive": 1.0}
    covered = {"block": 0, "naive": 0}
    for _ in range(400):
        steps = np.convolve(random.normal(size=n + horizon), np.ones(horizon), mode="valid")[:n]
        right = (steps > 0).astype(np.float64)  # always guess buy: right half the time, in runs
        for name, weights in drawn.items():
            draws = (right[:, None] * weights).mean(axis=0)
            found = interval(right.mean(), draws, 0.95, (0.0, 1.0), stretch[name])
            covered[name] += found.low <= 0.5 <= found.high
    assert 0.92 < covered["block"] / 400 < 0.98
    assert covered["naive"] / 400 < naive_at_most
