import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from triptych.domain import CandleSeries
from triptych.domain.errors import DataError
from triptych.market.synthetic import Config, synthesise
from triptych.market.synthetic.pressure import Config as PressureConfig
from triptych.market.synthetic.volatility import Config as VolatilityConfig


def same(one: CandleSeries, two: CandleSeries) -> bool:
    return one.fingerprint() == two.fingerprint()


def test_the_same_config_gives_the_same_bytes_in_another_process():
    code = (
        "from triptych.market.synthetic import Config, synthesise; import json;"
        "m = synthesise(Config(seed=11, n_candles=3000, signal=0.7, instruments=3));"
        "b = m.book_levels('BRAVO-USDT', 100, 200);"
        "print(json.dumps([s.fingerprint() for s in m.series] + [float(b.bid_size.sum()), float(b.ask_price.sum())]))"
    )
    # Hash randomisation must not reach the market.
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    market = synthesise(Config(seed=11, n_candles=3000, signal=0.7, instruments=3))
    books = market.book_levels("BRAVO-USDT", 100, 200)
    here = [s.fingerprint() for s in market.series] + [float(books.bid_size.sum()), float(books.ask_price.sum())]
    assert json.loads(answer.stdout) == here


def test_another_seed_gives_another_market():
    one, two = (synthesise(Config(seed=s, n_candles=50, instruments=1)).series[0] for s in (1, 2))
    assert not same(one, two)


@pytest.mark.parametrize("n", [1, 2, 997, 8_192, 8_193])
def test_asking_for_more_candles_leaves_the_first_ones_as_they_were(n):
    long = synthesise(Config(n_candles=9_001, instruments=2, signal=0.5))
    short = synthesise(Config(n_candles=n, instruments=2, signal=0.5))
    for one, two in zip(long.series, short.series, strict=True):
        assert same(one.head(n), two)
    assert np.array_equal(long.regimes[:n], short.regimes)
    assert np.array_equal(long.pressure[:, :n], short.pressure)
    assert np.array_equal(long.volatility[:, :n], short.volatility)
    assert long.book("ALFA-USDT", n - 1) == short.book("ALFA-USDT", n - 1)


def test_another_instrument_leaves_the_others_as_they_were():
    four, six = synthesise(Config(n_candles=500)), synthesise(Config(n_candles=500, instruments=6))
    assert all(same(one, two) for one, two in zip(four.series, six.series[:4], strict=True))
    alone = synthesise(Config(n_candles=500, instruments=("CHARLIE-USDT",)))
    assert same(alone.series[0], six["CHARLIE-USDT"])
    assert alone.book("CHARLIE-USDT", 77) == six.book("CHARLIE-USDT", 77)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**63), signal=st.floats(0, 1), timeframe=st.sampled_from(["1m", "15m", "4h", "1d", "1w"]))
def test_candles_keep_the_rules_of_the_market(seed, signal, timeframe):
    try:
        market = synthesise(Config(seed=seed, signal=signal, timeframe=timeframe, n_candles=300, instruments=2))
    except DataError as refused:  # six years of weeks may carry a price off its grid, which is said and not drawn
        if timeframe != "1w" or "the synthetic price leaves its grid" not in str(refused):
            raise
        reject()
    for series in market.series:
        open_, high, low, close, volume = series.values.T
        assert (high >= np.maximum(open_, close)).all()
        assert (low <= np.minimum(open_, close)).all()
        assert (low > 0).all()
        assert (volume >= float(series.instrument.minimum_quantity)).all()
        assert np.array_equal(open_[1:], close[:-1])
        assert (np.diff(series.open_time_ms) == series.timeframe.milliseconds).all()
        for price in series.values[:20, :4].ravel().tolist():
            assert Decimal(str(price)) % series.instrument.price_step == 0
        for quantity in volume[:20].tolist():
            assert Decimal(str(quantity)) % series.instrument.quantity_step == 0


def test_the_first_candle_opens_at_the_start_on_the_grid():
    config = Config(n_candles=3, timeframe="1h", start=datetime(2024, 5, 1, 10, 40), instruments=1)
    series = synthesise(config).series[0]
    assert series.open_time_ms[0] == int(datetime(2024, 5, 1, 10, tzinfo=UTC).timestamp() * 1000)
    assert series.values[0, 0] == 13.1


def test_the_signal_changes_the_drift_and_nothing_else():
    none, full = (synthesise(Config(n_candles=4_000, instruments=1, signal=s)) for s in (0.0, 1.0))
    assert np.array_equal(none.volatility, full.volatility)
    assert np.array_equal(none.pressure, full.pressure)
    change = np.diff(np.log(full.series[0].close)) - np.diff(np.log(none.series[0].close))
    expected = 0.25 * (none.volatility * none.acting_pressure)[0, 1:]
    assert np.abs(change - expected).max() < 2e-5  # the price grid


@pytest.mark.parametrize(
    "pressure",
    [
        PressureConfig(wick_bias=0.0, volume_tilt=0.0, book_tilt=0.0),
        PressureConfig(mean_duration=5.0, neutral_share=0.0, lag=0, strength=2.0),
    ],
)
def test_without_signal_closes_do_not_know_that_there_is_pressure(pressure):
    plain = synthesise(Config(n_candles=3_000, signal=0.0, instruments=2))
    other = synthesise(Config(n_candles=3_000, signal=0.0, instruments=2, pressure=pressure))
    for one, two in zip(plain.series, other.series, strict=True):
        assert np.array_equal(one.close, two.close)
        assert not np.array_equal(one.values, two.values)


def test_symbols_by_number_and_by_name():
    assert Config(instruments=2).symbols == ("ALFA-USDT", "BRAVO-USDT")
    assert Config(instruments=("X", "Y")).symbols == ("X", "Y")
    assert Config.model_validate({"instruments": ["X", "Y"]}).symbols == ("X", "Y")


def test_a_config_survives_json():
    config = Config(instruments=("X", "Y"), start=datetime(2023, 1, 1, tzinfo=UTC), signal=0.25)
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"instruments": ("X", "X")}, "symbols must be distinct and not empty, was ['X', 'X']"),
        ({"timeframe": "quarter"}, "Unknown timeframe 'quarter'. Write it like 1m, 5m, 15m, 1h, 4h, 1d or 1w."),
        ({"signal": 1.5}, "Input should be less than or equal to 1"),
        ({"sginal": 1.0}, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_config_is_refused_by_name(options, sentence):
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(options)
    assert sentence in str(caught.value)
    assert next(iter(options)) in str(caught.value)


def test_an_unknown_symbol_names_the_known_ones():
    market = synthesise(Config(n_candles=5, instruments=2))
    with pytest.raises(DataError) as caught:
        market["ETH"]
    assert str(caught.value) == (
        "There is no instrument 'ETH' in this synthetic market. Known are ALFA-USDT, BRAVO-USDT."
    )


@pytest.mark.parametrize(("start", "stop"), [(5, 6), (-1, 0), (3, 3), (0, 6)])
def test_a_book_of_a_candle_that_is_not_there_is_refused(start, stop):
    market = synthesise(Config(n_candles=5, instruments=1))
    with pytest.raises(DataError) as caught:
        market.book_levels("ALFA-USDT", start, stop)
    assert str(caught.value) == (
        f"ALFA-USDT: there are no candles {start} to {stop - 1} in a market of 5 candles. "
        "Ask for positions from 0 to 4."
    )


def test_a_price_that_leaves_its_grid_is_an_error_with_a_remedy():
    wild = VolatilityConfig(typical=0.02, regime_volatility=(10.0, 10.0, 10.0))
    with pytest.raises(DataError) as caught:
        synthesise(Config(n_candles=20_000, instruments=1, signal=0.0, volatility=wild))
    assert str(caught.value).startswith("ALFA-USDT: the synthetic price leaves its grid at candle ")
    assert str(caught.value).endswith(". Ask for fewer candles, lower `volatility.typical`, or take another seed.")
