"""What a consensus has heard before a segment, of every instrument that may count there."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.recent_skill import is_decided, skill_of, weights_in, with_heard
from triptych.bootstrap.voting import REGIME_COLUMNS, columns_of
from triptych.features.targets import Config as TargetConfig
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.combiner import Combiner
from triptych.inference.consensus import ConsensusPredictor
from triptych.inference.recent_skill import RecentSkill
from triptych.settings import load_recipe

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


class Leaning(AbstractPredictor):
    """Says the same of every window."""

    length = 5
    name = "leaning"

    def probabilities(self, windows):
        return np.tile(np.array([0.2, 0.5, 0.3], dtype=np.float32), (len(windows), 1))


class Known(AbstractView):
    """Histories up to a close."""

    def __init__(self, by_symbol, until_ms):
        self.known = {s: one.head(int((one.close_time_ms <= until_ms).sum())) for s, one in by_symbol.items()}

    def history(self, symbol, length):
        one = self.known[symbol]
        return one.between(len(one) - length, len(one)) if len(one) >= length else None


@pytest.mark.parametrize("companions", [(), ("LATE",)])
def test_an_instrument_that_was_listed_late_is_decided_where_a_live_session_decides(companions):
    hours = 1_672_617_600_000 + HOUR * np.arange(700)
    old = make_series(hours, timeframe="1h", symbol="OLD")
    late = make_series(hours[400:], timeframe="1h", symbol="LATE", seed=1)
    by_symbol, fold_at = {"OLD": old, "LATE": late}, int(hours[470])
    frame = pl.concat([votes_of(old, 60, fold_at), votes_of(late, 5, fold_at)]).sort("time", "symbol")
    features = [f"features.companions={list(companions)}"] * bool(companions)
    recipe = recipe_of_two(*features)
    candles = SimpleNamespace(series=(late, old), by_symbol=by_symbol, timeframe=old.timeframe)
    recent = skill_of(recipe, candles, frame)
    assert recent.window == WINDOW
    combiner = Combiner(method="skill", members=NAMES, weights=(0.7, 0.3), regime_length=8,
                        recent=with_heard(recent, by_symbol, frame, NAMES, 1))  # fmt: skip
    live = ConsensusPredictor({name: Leaning() for name in NAMES}, combiner)
    live.companions = companions
    now = frame.filter(fold=1)
    times, symbols = now["time"].cast(pl.Int64).to_list(), now["symbol"].to_list()
    answers = [live.predict_now(Known(by_symbol, t), s, t) for s, t in zip(symbols, times, strict=True)]
    decided = is_decided(recipe, recent, candles, now)
    assert decided.tolist() == [one is not None for one in answers]
    counts = {s: int(decided[(now["symbol"] == s).to_numpy()].sum()) for s in by_symbol}
    first = live.length - 70  # of LATE, which has 70 candles when the segment begins
    assert first > 30
    assert counts == {"LATE": 231 - first, "OLD": 231 - (first if companions else 0)}
    assert is_decided(recipe, None, candles, now).all()


def test_the_window_is_that_of_instruments_that_still_speak():
    hours = 1_672_617_600_000 + HOUR * np.arange(1200)
    gone = make_series(hours[:700], timeframe="1h", symbol="GONE")
    here = make_series(hours[500:], timeframe="1h", symbol="HERE", seed=1)
    frame = pl.concat([votes_of(gone, 60, int(hours[800])), votes_of(here, 60, int(hours[800]))])
    candles = SimpleNamespace(series=(gone, here), by_symbol={"GONE": gone, "HERE": here}, timeframe=here.timeframe)
    told = []
    recipe = recipe_of_two("consensus.window=500")
    found = skill_of(recipe, candles, frame, told.append)
    assert told == [f"Recent skill is that of the last {found.window:,} candles, not 500: more are not known at first."]
    assert is_decided(recipe, found, candles, frame.filter(fold=1)).all()


def recipe_of_two(*overrides):
    """Two members that look at five raw candles."""
    return load_recipe("timeframes", (
        'members=[{name="a"}, {name="b"}]', "window.length=5", "consensus.regime_length=8", "target.volatility_span=8",
        f"consensus.window={WINDOW}", f"target.horizon={HORIZON}", *overrides,
    ))  # fmt: skip
