"""What any market shows, at signal 0: a year of 15-minute candles of four instruments."""

import numpy as np
import pytest

from triptych.domain import HIGH, LOW, OPEN, VOLUME
from triptych.market.synthetic import Config, SyntheticMarket, synthesise
from triptych.market.synthetic.jumps import Config as JumpsConfig
from triptych.market.synthetic.volatility import Config as VolatilityConfig

N = 35_000


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return synthesise(Config(seed=3, n_candles=N, signal=0.0))


@pytest.fixture(scope="module")
def returns(market) -> np.ndarray:
    return np.diff(np.log(np.stack([series.close for series in market.series])), axis=1)


def autocorrelation(x: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(x[:-lag], x[lag:])[0, 1])


def test_a_quarter_of_an_hour_moves_about_three_tenths_of_a_percent(returns):
    assert ((returns.std(axis=1) > 0.0022) & (returns.std(axis=1) < 0.0045)).all()


def test_tails_are_fat(returns):
    for r in returns:
        # BTC perpetual in 2023, 15 minutes: 176, most of it from a handful of candles.
        assert 3.0 < (r**4).mean() / r.var() ** 2 - 3.0 < 250.0


def test_volatility_clusters_and_forgets_slowly(returns):
    for r in np.abs(returns):
        values = [autocorrelation(r, lag) for lag in (1, 16, 96, 200)]
        assert 0.15 < values[0] < 0.45
        assert values[1] > 0.08
        assert values[2] > 0.04
        assert values[3] > 0.0
        assert values[0] > values[1] > values[3]


def test_returns_themselves_do_not_remember(returns):
    # Against the error that volatility clusters imply, not 1 / sqrt(n).
    for r in returns:
        for lag in (1, 2, 4, 12, 96):
            product = r[:-lag] * r[lag:]
            assert abs(product.sum()) < 4.0 * np.sqrt((product**2).sum())


def test_instruments_move_together_and_more_so_in_a_crisis(market, returns):
    pairs = np.triu_indices(4, 1)
    assert ((np.corrcoef(returns)[pairs] > 0.25) & (np.corrcoef(returns)[pairs] < 0.8)).all()
    regimes, scaled = market.regimes[1:], returns / market.volatility[:, 1:]
    quiet = market.n_jumps[:, 1:].sum(axis=0) == 0
    calm = np.corrcoef(scaled[:, (regimes == 0) & quiet])[pairs].mean()
    crisis = np.corrcoef(scaled[:, (regimes == 2) & quiet])[pairs].mean()
    assert calm == pytest.approx(0.45, abs=0.05)
    assert crisis == pytest.approx(0.85, abs=0.06)


def test_the_hour_shows_in_volatility_and_in_volume(market, returns):
    hour = (market.series[0].open_time_ms[1:] // 3_600_000) % 24
    weekday = (market.series[0].open_time_ms[1:] // 86_400_000 + 3) % 7
    size, volume = (
        np.abs(returns).mean(axis=0),
        np.mean([s.values[1:, VOLUME] * s.close[1:] for s in market.series], axis=0),
    )
    for quantity in (size, volume):
        by_hour = np.array([quantity[hour == h].mean() for h in range(24)])
        assert by_hour[13:17].mean() > 1.5 * by_hour[2:6].mean()
        assert quantity[weekday >= 5].mean() < 0.9 * quantity[weekday < 5].mean()


def test_jumps_are_rare_and_some_are_shared(market):
    # 0.002 shared and 0.003 own per candle, four times that in a crisis.
    per_candle = market.n_jumps.mean(axis=1)
    assert ((per_candle > 0.004) & (per_candle < 0.008)).all()
    together = (market.n_jumps > 0).all(axis=0).mean()
    assert 0.001 < together < 0.005


def test_volume_follows_the_range(market):
    for series in market.series:
        turnover = np.log(series.values[:, VOLUME] * series.close)
        spread = np.log(np.log(series.values[:, HIGH] / series.values[:, LOW]))
        assert 0.6 < np.corrcoef(turnover, spread)[0, 1] < 0.95


def test_wicks_and_bodies_are_those_of_a_real_candle(market):
    # BTC perpetual in 2023, 15 minutes: wicks 0.54 of the range, mean range 2.1 mean absolute returns.
    for series in market.series:
        body = np.abs(np.log(series.close / series.values[:, OPEN]))
        spread = np.log(series.values[:, HIGH] / series.values[:, LOW])
        assert 1.0 - (body / spread).mean() == pytest.approx(0.54, abs=0.05)
        assert spread.mean() / body.mean() == pytest.approx(2.1, abs=0.15)


def test_the_price_is_a_martingale_where_a_mean_log_return_of_zero_would_not_be():
    # Weekly candles with jumps make the difference visible: exp(r) averages 1 while r averages clearly less than 0.
    parts = {
        "volatility": VolatilityConfig(regime_correlation=(0.0, 0.0, 0.0), common_deviation=0.0),
        "jumps": JumpsConfig(common_rate=0.0, own_rate=0.05, size=2.0),
    }
    configs = (
        Config(seed=seed, n_candles=100, instruments=26, signal=0.0, timeframe="1w", **parts) for seed in range(20)
    )
    r = np.concatenate([np.diff(np.log(s.close)) for config in configs for s in synthesise(config).series])
    growth = np.exp(r)
    assert growth.mean() == pytest.approx(1.0, abs=3.0 * growth.std() / np.sqrt(len(r)))
    assert r.mean() < -6.0 * r.std() / np.sqrt(len(r))
