"""TA-Lib's own functions are the reference, once their unstable period is over."""

import numpy as np
import pytest
import talib
from tests.features.markets import TIMEFRAME_MS, random_walk, real

from triptych import features
from triptych.features._history import History

REFERENCE = {
    "sma_10": lambda o, h, low, c, v: c / talib.SMA(c, 10) - 1,
    "sma_20": lambda o, h, low, c, v: c / talib.SMA(c, 20) - 1,
    "sma_50": lambda o, h, low, c, v: c / talib.SMA(c, 50) - 1,
    "ema_12": lambda o, h, low, c, v: c / talib.EMA(c, 12) - 1,
    "ema_26": lambda o, h, low, c, v: c / talib.EMA(c, 26) - 1,
    "ema_50": lambda o, h, low, c, v: c / talib.EMA(c, 50) - 1,
    "wma_20": lambda o, h, low, c, v: c / talib.WMA(c, 20) - 1,
    "dema_20": lambda o, h, low, c, v: c / talib.DEMA(c, 20) - 1,
    "tema_20": lambda o, h, low, c, v: c / talib.TEMA(c, 20) - 1,
    "macd": lambda o, h, low, c, v: talib.MACD(c, 12, 26, 9)[0] / c,
    "macd_signal": lambda o, h, low, c, v: talib.MACD(c, 12, 26, 9)[1] / c,
    "macd_histogram": lambda o, h, low, c, v: talib.MACD(c, 12, 26, 9)[2] / c,
    "adx": lambda o, h, low, c, v: talib.ADX(h, low, c, 14),
    "plus_di": lambda o, h, low, c, v: talib.PLUS_DI(h, low, c, 14),
    "minus_di": lambda o, h, low, c, v: talib.MINUS_DI(h, low, c, 14),
    "aroon_down": lambda o, h, low, c, v: talib.AROON(h, low, 25)[0],
    "aroon_up": lambda o, h, low, c, v: talib.AROON(h, low, 25)[1],
    "linear_slope_14": lambda o, h, low, c, v: talib.LINEARREG_SLOPE(c, 14) / c,
    "rsi_14": lambda o, h, low, c, v: talib.RSI(c, 14),
    "rsi_7": lambda o, h, low, c, v: talib.RSI(c, 7),
    "stochastic_k": lambda o, h, low, c, v: talib.STOCH(h, low, c, 14, 3, 0, 3, 0)[0],
    "stochastic_d": lambda o, h, low, c, v: talib.STOCH(h, low, c, 14, 3, 0, 3, 0)[1],
    "stochastic_rsi": lambda o, h, low, c, v: talib.STOCHRSI(c, 14, 14, 3, 0)[0],
    "williams_r": lambda o, h, low, c, v: talib.WILLR(h, low, c, 14),
    "roc_5": lambda o, h, low, c, v: talib.ROCP(c, 5),
    "roc_20": lambda o, h, low, c, v: talib.ROC(c, 20) / 100,
    "roc_60": lambda o, h, low, c, v: talib.ROCP(c, 60),
    "momentum_10": lambda o, h, low, c, v: talib.MOM(c, 10) / talib.ATR(h, low, c, 14),
    "cci_20": lambda o, h, low, c, v: talib.CCI(h, low, c, 20),
    "trix_15": lambda o, h, low, c, v: talib.TRIX(c, 15) / 100,
    "ultimate": lambda o, h, low, c, v: talib.ULTOSC(h, low, c, 7, 14, 28),
    "balance_of_power": lambda o, h, low, c, v: talib.BOP(o, h, low, c),
    "cmo_20": lambda o, h, low, c, v: talib.CMO(c, 20),
    "ppo": lambda o, h, low, c, v: talib.PPO(c, 12, 26, 0) / 100,
    "true_range": lambda o, h, low, c, v: talib.TRANGE(h, low, c) / np.r_[np.nan, c[:-1]],
    "atr_14": lambda o, h, low, c, v: talib.NATR(h, low, c, 14) / 100,
    "volume_sma_20": lambda o, h, low, c, v: v / talib.SMA(v, 20),
    "volume_trend": lambda o, h, low, c, v: talib.SMA(v, 5) / talib.SMA(v, 20),
    "obv_20": lambda o, h, low, c, v: talib.MOM(talib.OBV(c, v), 20) / talib.SUM(v, 20),
    "adosc": lambda o, h, low, c, v: talib.ADOSC(h, low, c, v, 3, 10) / talib.EMA(v, 10),
    "mfi_14": lambda o, h, low, c, v: talib.MFI(h, low, c, v, 14),
    "money_flow_20": lambda o, h, low, c, v: talib.MOM(talib.AD(h, low, c, v), 20) / talib.SUM(v, 20),
    "volatility_20": lambda o, h, low, c, v: np.r_[np.nan, talib.STDDEV(np.diff(np.log(c)), 20)],
}


def bollinger(c):
    upper, middle, lower = talib.BBANDS(c, 20, 2, 2)
    return (c - lower) / (upper - lower), (upper - lower) / middle


REFERENCE["bollinger_b"] = lambda o, h, low, c, v: bollinger(c)[0]
REFERENCE["bollinger_width"] = lambda o, h, low, c, v: bollinger(c)[1]


@pytest.mark.parametrize("name", REFERENCE)
def test_a_factor_equals_talib_once_both_have_settled(name):
    values, times = random_walk()
    settled = 2 * features.describe(name).settle + 60
    ours = features.describe(name).compute(History(values, times, TIMEFRAME_MS))[settled:]
    theirs = REFERENCE[name](*np.ascontiguousarray(values.T))[settled:]
    assert np.isfinite(theirs).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).std())


@pytest.mark.parametrize("name", REFERENCE)
def test_a_factor_equals_talib_on_real_candles(name):
    values, times, timeframe_ms = real("perpetual")
    settled = 2 * features.describe(name).settle + 60
    ours = features.describe(name).compute(History(values, times, timeframe_ms))[settled:]
    theirs = REFERENCE[name](*np.ascontiguousarray(values.T))[settled:]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).std())


@pytest.mark.parametrize("market", ["perpetual", "sessions"])
def test_patterns_equal_talib_on_real_candles(market):
    values, times, timeframe_ms = real(market, 12_000)
    history = History(values, times, timeframe_ms)
    for name, function in features.patterns.PATTERNS.items():
        factor = features.describe(name)
        ours = factor.compute(history)[factor.settle :]
        theirs = getattr(talib, function)(*np.ascontiguousarray(values.T[:4]))[factor.settle :] / 100.0
        assert np.count_nonzero(ours != theirs) == 0, name
