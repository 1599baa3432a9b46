"""What a consensus has heard before a segment, of every instrument that may count there."""

import numpy as np
import polars as pl
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.recent_skill import weights_in, with_heard
from triptych.bootstrap.voting import REGIME_COLUMNS, columns_of
from triptych.features.targets import Config as TargetConfig
from triptych.inference.combiner import Combiner
from triptych.inference.recent_skill import RecentSkill

HOUR = 3_600_000
NAMES = ("a", "b")
WINDOW, HORIZON = 60, 12


def votes_of(series, first, fold_at):
    """Random votes from candle `first` on: fold 0, and 1 from close `fold_at` on."""
    random = np.random.default_rng(len(series))
    closes = series.close_time_ms[first:]
    columns = {
        "time": pl.Series(closes).cast(pl.Datetime("ms", "UTC")),
        "symbol": [series.symbol] * len(closes),
        "fold": (closes >= fold_at).astype(np.int64),
    }
    for name in NAMES:
        columns |= dict(zip(columns_of(name), random.dirichlet([1.0, 1.0, 1.0], len(closes)).T, strict=True))
    return pl.DataFrame(columns | dict.fromkeys(REGIME_COLUMNS, 0.0))


def skill():
    target = TargetConfig(horizon=HORIZON, volatility_span=8)
    return RecentSkill(window=WINDOW, half_life_days=20.0, floor=0.0, timeframe_ms=HOUR,
                       target=target.model_dump(mode="json"))  # fmt: skip


@pytest.fixture(scope="module")
def market():
    """A stock of weekday sessions, a coin around the clock, and one that said nothing for longer than a window."""
    hours = 1_672_617_600_000 + HOUR * np.arange(1200)
    open_at = (hours // HOUR % 24 >= 14) & (hours // HOUR % 24 < 21) & ((hours - hours[0]) // (24 * HOUR) % 7 < 5)
    stock = make_series(hours[open_at], timeframe="1h", symbol="STOCK")
    coin = make_series(hours, timeframe="1h", symbol="COIN", seed=1)
    silent = make_series(hours[:800], timeframe="1h", symbol="SILENT", seed=2)
    fold_at = int(hours[1000])
    spoken = votes_of(silent, 100, fold_at).filter(pl.col("time").cast(pl.Int64) <= int(silent.close_time_ms[500]))
    frame = pl.concat([votes_of(stock, 100, fold_at), votes_of(coin, 100, fold_at), spoken]).sort("time", "symbol")
    return {one.symbol: one for one in (stock, coin, silent)}, frame


def test_what_was_heard_is_that_of_the_last_window_of_candles(market):
    by_symbol, frame = market
    found = with_heard(skill(), by_symbol, frame, NAMES, 1)
    assert sorted(found.heard) == ["COIN", "STOCK"]  # of an instrument that fell silent nothing is kept
    assert RecentSkill.model_validate_json(found.model_dump_json()) == found
    for symbol, expected in (("COIN", WINDOW // HORIZON), ("STOCK", WINDOW // 7)):
        closes = by_symbol[symbol].close_time_ms
        newest = int(np.searchsorted(closes, found.heard_until_ms, side="right")) - 1
        places = np.searchsorted(closes, found.heard[symbol].time_ms)
        assert newest - WINDOW < places.min() <= newest - WINDOW + 24
        assert abs(len(places) - expected) <= 1
        assert np.array(found.heard[symbol].votes).shape == (len(places), 6)


def test_an_instrument_that_was_delisted_leaves_the_others_their_weights(market):
    by_symbol, frame = market
    combiner = Combiner(method="skill", members=NAMES, weights=(0.7, 0.3), regime_length=8,
                        recent=with_heard(skill(), by_symbol, frame, NAMES, 1))  # fmt: skip
    weights = weights_in(combiner, by_symbol, frame, 1)
    now = frame.filter(fold=1)
    assert weights.shape == (len(now), 2)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    for symbol in ("COIN", "STOCK"):
        rows = weights[(now["symbol"] == symbol).to_numpy()]
        assert rows.std(axis=0).min() > 1e-3
        assert not np.isclose(rows, [0.7, 0.3]).all(axis=1).any()  # outcomes are known from the first close on
    without = weights_in(combiner, by_symbol, frame.filter(pl.col("symbol") != "SILENT"), 1)
    np.testing.assert_array_equal(without, weights)


def test_nothing_heard_in_the_window_of_any_instrument_is_no_fault(market):
    by_symbol, frame = market
    alone = {"SILENT": by_symbol["SILENT"]}
    late = frame.filter(pl.col("symbol") == "SILENT").head(1)
    assert with_heard(skill(), alone, late, NAMES, 1).heard == {}
