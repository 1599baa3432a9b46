from __future__ import annotations

import json

import numpy as np
import pytest

from triptych.backtest.luck import Config, assess
from triptych.backtest.statistics import performance

FAST = Config(replicates=500)


def random_market(n: int, seed: int, drift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Market returns and an exposure of -1, 0 or 1 held for eight candles, drawn without looking at the market."""
    generator = np.random.default_rng(seed)
    market = drift + 0.01 * generator.standard_normal(n)
    return market, np.repeat(generator.choice([-1.0, 0.0, 1.0], size=n // 8 + 1), 8)[:n]


def test_estimates_are_those_of_the_statistics(make_result):
    market, exposure = random_market(1000, 1)
    result = make_result(market, exposure, cost_rate=0.0005)
    luck, measured = assess(result, FAST), performance(result)
    returns = np.diff(result.equity["equity"].to_numpy(), prepend=10_000.0)
    returns /= np.concatenate([[10_000.0], result.equity["equity"].to_numpy()[:-1]])
    assert luck.sharpe.value == pytest.approx(measured.strategy.sharpe)
    assert luck.total_return.value == pytest.approx(measured.strategy.total_return)
    assert luck.mean_return.value == pytest.approx(returns.mean() * 8766)
    assert luck.timing_return.value == pytest.approx((returns.mean() - exposure.mean() * market.mean()) * 8766)
    for interval in (luck.sharpe, luck.total_return, luck.mean_return, luck.timing_return):
        assert interval.low < interval.value < interval.high


def test_holding_half_of_a_rising_market_earns_but_times_nothing(make_result):
    market, _ = random_market(2000, 2, drift=0.002)
    luck = assess(make_result(market, np.full(2000, 0.5)), FAST)
    assert luck.mean_return.low > 0
    assert luck.timing_return.value == pytest.approx(0.0, abs=1e-9)
    assert luck.deflated_sharpe > 0.99
    assert luck.deflated_timing_sharpe is None or luck.deflated_timing_sharpe < 0.95


def test_knowing_the_market_is_timing(make_result):
    market, _ = random_market(500, 3)
    luck = assess(make_result(market, np.sign(market)), FAST)
    assert luck.timing_return.low > 0
    assert luck.probability_of_luck < 1e-6


def test_the_same_seed_gives_the_same_intervals_and_another_does_not(make_result):
    result = make_result(*random_market(400, 4))
    assert assess(result, FAST, seed=1) == assess(result, FAST, seed=1)
    assert assess(result, FAST, seed=1).sharpe != assess(result, FAST, seed=2).sharpe


def test_more_trials_make_luck_more_likely(make_result):
    result = make_result(*random_market(800, 5, drift=0.001))
    chances = [assess(result, Config(replicates=200, trials=trials)).probability_of_luck for trials in (1, 5, 50)]
    assert chances == sorted(chances)
    assert chances[0] < chances[-1]


def test_the_block_is_at_least_the_holding_time(make_result):
    market, _ = random_market(1200, 6)
    exposure = np.where(np.arange(1200) % 120 < 60, 1.0, 0.0)
    assert assess(make_result(market, exposure), FAST).block_length >= 60
    assert assess(make_result(market, exposure), FAST, minimum_block=90).block_length == 90
    assert assess(make_result(market, exposure), FAST, minimum_block=5000).block_length == 104


def test_ruin_is_a_total_loss_and_not_an_infinite_one(make_result):
    market, exposure = random_market(200, 7)
    market[120], exposure[120] = -0.6, 2.0
    luck = assess(make_result(market, exposure), FAST)
    assert luck.candles == 121
    assert luck.total_return.value == pytest.approx(-1.0)
    assert luck.probability_of_luck > 0.5
    json.dumps(luck.to_dict(), allow_nan=False)


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_a_strategy_that_never_trades_is_fully_explained_by_luck(make_result, n):
    market, _ = random_market(n, 8)
    luck = assess(make_result(market, np.zeros(n)), FAST)
    assert luck.probability_of_luck == 1.0
    assert luck.sharpe is luck.timing_return is luck.deflated_sharpe is None
    json.dumps(luck.to_dict(), allow_nan=False)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_a_few_candles_give_values_that_json_can_hold(make_result, n):
    market, _ = random_market(n, 9)
    text = json.dumps(assess(make_result(market, np.ones(n)), FAST).to_dict(), allow_nan=False)
    assert json.loads(text)["candles"] == n


def test_the_timing_interval_covers_zero_as_often_as_it_says(make_result):
    hits = 0
    for seed in range(150):
        market, exposure = random_market(600, 100 + seed, drift=0.001)
        exposure = np.clip(exposure + 0.5, -1, 1)  # a long bias in a rising market
        timing = assess(make_result(market, exposure), Config(replicates=300), seed=seed).timing_return
        hits += timing.low <= 0 <= timing.high
    assert 0.91 <= hits / 150 <= 0.99


def test_zero_trials_are_refused():
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Config(trials=0)
