"""No peeking, for everything registered: on history cut short every value at the cut is what it was.

Runs over all encodings and all kinds of target, sizing and protection: a new one is tested without an edit here.
Encodings are probed by whole recipes, on candles or on factors with a companion beside them.
"""

import itertools
import typing
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.books import leaning_tape
from tests.fakes.candles import make_series
from tests.fakes.micro import micro_recipe
from tests.fakes.pattern_networks import saved_candle_network, saved_chart_network
from tests.fakes.waves import TINY
from tests.fakes.windows import kinds_of

from triptych.bootstrap import create_detector
from triptych.bootstrap.candle_books import beside
from triptych.bootstrap.leaks import leak_probe
from triptych.domain import Timeframe
from triptych.features import targets
from triptych.features.channels import market_channels
from triptych.images import available, create_encoding
from triptych.inference import BookNeed, Columns, FactorRows, inputs
from triptych.inference.anomaly.saving import save_detector
from triptych.inference.book_rows import RowsConfig, WallReader
from triptych.inference.pattern_predictor import PatternPredictor
from triptych.market import resample
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import synthesise
from triptych.strategies import threshold
from triptych.trading import execution, sizing


def choices(config, field: str) -> tuple[str, ...]:
    """All values that a `Literal` field of a Config may take."""
    return typing.get_args(config.model_fields[field].annotation)


def probed(tmp_path, *overrides: str, cuts: int = 3) -> dict:
    found = leak_probe(
        micro_recipe(tmp_path, "data.synthetic.n_candles=500", "target.horizon=6", *overrides), cuts=cuts
    )
    assert all(row["compared"] > 0 for row in found["results"])
    return found


FACTORS = (
    "data.synthetic.instruments=2",
    'features.names=["return_1", "rsi_14"]',
    "features.window=20",
    "encoding.name=factor_grid",
    "encoding.factors=2",
    "encoding.channels=2",
    "encoding.bars_per_row=4",
)
"""A recipe whose network reads two factors of its instrument and of a companion beside it."""


@pytest.mark.parametrize("name", available())
def test_no_encoding_peeks(tmp_path, name):
    kinds = kinds_of(create_encoding(name, 16).columns)
    overrides = beside_a_companion() if kinds == ("factors",) else ()
    if "book" in kinds:  # the books of the embedded market have ten levels
        overrides = ("encoding.levels=10",)
    if name == "sequence":  # its columns have no rows of candles
        overrides = tuple(one for one in overrides if "bars_per_row" not in one)
    assert probed(tmp_path, *overrides, f"encoding.name={name}")["passed"]


CHART_AND_BOOK = (
    "encoding.name=multi_channel", "encoding.height=16", "encoding.width=16",
    'encoding.channels=[{name="gasf"}, {name="book_imbalance", levels=5}]',
)  # fmt: skip
BOOK_FACTORS = (
    "encoding.name=sequence", "encoding.factors=8", 'features.names=["return_1", "book"]', "features.window=20",
    "model.name=gru", "model.width=0.1", "model.depth=0.5",
)  # fmt: skip


BOOK_ROWS = (
    "encoding.name=sequence", "encoding.factors=11", 'features.names=["return_1", "book_orders"]', "features.window=20",
    "features.book_rows.every_ms=900000", "features.book_rows.rows=24", "features.book_rows.multiple=1.5",
    "model.name=gru", "model.width=0.1", "model.depth=0.5",
)  # fmt: skip


@pytest.mark.parametrize("overrides", [CHART_AND_BOOK, (*CHART_AND_BOOK, "features.period=2"), BOOK_FACTORS, BOOK_ROWS])
def test_no_order_book_beside_candles_peeks(tmp_path, overrides):
    assert probed(tmp_path, *overrides)["passed"]


def test_a_book_seen_one_candle_early_is_found(tmp_path, monkeypatch):
    honest = Columns._books

    def early(self, series):
        rows = honest(self, series)
        rows[:-1] = rows[1:]
        return rows

    monkeypatch.setattr(Columns, "_books", early)
    found = probed(tmp_path, *CHART_AND_BOOK)
    assert not found["passed"]
    assert {"factors", "image (multi_channel)", "prediction"} <= guilty(found)


def test_books_beside_candles_are_the_same_however_much_of_the_recording_follows():
    (series,) = synthesise(SyntheticConfig(seed=3, n_candles=120, instruments=1)).series
    tape = leaning_tape(3_000, levels=2, start_ms=int(series.open_time_ms[0]) + 17, symbol=series.symbol)
    tape = replace(tape, time_ms=tape.time_ms[0] + 31_013 * np.arange(len(tape)))  # off the grid of the closes
    priced = replace(series, values=np.full_like(series.values, 1_000.0))
    reader = WallReader(RowsConfig(every_ms=30_000, rows=40, multiple=1.6, layer_multiple=1.4))
    reader.levels = 2
    need = BookNeed(levels=2, max_age_ms=40_000, readers=(reader,))
    whole = beside(priced, tape, need)
    assert len(np.unique(whole.notes["bid_wall_size"])) > 5
    for cut in (1, 2, 50, 119):
        known = int(np.searchsorted(tape.time_ms, priced.close_time_ms[cut - 1], side="right"))
        found = beside(priced.head(cut), tape.between(0, known), need)
        np.testing.assert_array_equal(found.books, whole.books[:cut])
        for name in reader.names:
            np.testing.assert_array_equal(found.notes[name], whole.notes[name][:cut])


@pytest.mark.parametrize("kind", ["candles", "factors"])
def test_no_window_of_longer_candles_peeks(tmp_path, kind):
    overrides = () if kind == "candles" else (*beside_a_companion(), "data.synthetic.n_candles=1500")
    assert probed(tmp_path, *overrides, "features.period=2")["passed"]


def beside_a_companion() -> tuple[str, ...]:
    """Overrides for a recipe on factors: the first instrument is traded, the second stands beside it."""
    own, other = SyntheticConfig(instruments=2).symbols
    return (*FACTORS, f'data.symbols=["{own}"]', f'features.companions=["{other}"]')


def test_no_score_or_state_of_an_anomaly_detector_peeks(tmp_path):
    made = market_channels([synthesise(SyntheticConfig(seed=2, n_candles=600, instruments=1)).series[0]])
    detector = create_detector("catch", network=TINY, focus=8, training={"epochs": 1, "num_threads": 1})
    save_detector(tmp_path / "detector", detector.fit(pl.DataFrame(made.values, schema=list(made.columns))))
    factors = 2 + 1 + TINY.width
    found = probed(
        tmp_path, *beside_a_companion(), f"features.detector={tmp_path / 'detector'}", f"encoding.factors={factors}"
    )
    assert found["passed"]


@pytest.fixture(scope="module")
def reading_patterns(tmp_path_factory):
    """Overrides for a recipe that reads what networks of chart and of candle patterns say."""
    home = tmp_path_factory.mktemp("networks")
    folders = [str(saved_chart_network(home / "charts")), str(saved_candle_network(home / "candles"))]
    return (
        *beside_a_companion(), f"features.pattern_networks.folders={folders}", "encoding.factors=8",
        "features.pattern_networks.labels=['double_top', 'bull_flag', 'doji_up']",
    )  # fmt: skip


def test_no_answer_of_a_network_of_patterns_peeks(tmp_path, reading_patterns):
    assert probed(tmp_path, *reading_patterns)["passed"]


def test_a_network_of_patterns_that_is_shown_the_next_candle_is_found(tmp_path, reading_patterns, monkeypatch):
    honest = PatternPredictor.over

    def early(self, values, ends=None):
        said = honest(self, values, ends)
        said[:-1] = said[1:]
        return said

    monkeypatch.setattr(PatternPredictor, "over", early)
    found = probed(tmp_path, *reading_patterns)
    assert not found["passed"]
    assert {"factors", "image (factor_grid)", "prediction"} <= guilty(found)


def guilty(found: dict) -> set[str]:
    return {row["name"] for row in found["results"] if not row["passed"]}


def test_a_factor_that_knows_the_next_candle_is_found(tmp_path, monkeypatch):
    honest = FactorRows._own

    def leaking(self, series):
        rows = honest(self, series)
        rows[:-1, 1] = rows[1:, 1]
        return rows

    monkeypatch.setattr(FactorRows, "_own", leaking)
    found = probed(tmp_path, *beside_a_companion())
    assert not found["passed"]
    assert {"factors", "image (factor_grid)", "prediction"} <= guilty(found)


def test_a_companion_seen_one_candle_early_is_found(tmp_path, monkeypatch):
    def early(other, series, past_ms=None, *, memory=None):
        last = np.searchsorted(other.close_time_ms, series.close_time_ms, side="right")
        return np.minimum(last, len(other) - 1)

    monkeypatch.setattr(inputs, "last_closed", early)
    found = probed(tmp_path, *beside_a_companion())
    assert not found["passed"]
    assert {"factors", "image (factor_grid)", "prediction"} <= guilty(found)


TARGETS = list(
    itertools.product(
        choices(targets.Config, "kind"), choices(targets.Config, "threshold"), choices(targets.Config, "volatility")
    )
)


@pytest.mark.parametrize(("kind", "threshold", "volatility"), TARGETS)
def test_no_target_peeks_beyond_its_horizon(tmp_path, kind, threshold, volatility):
    found = probed(
        tmp_path, f"target.kind={kind}", f"target.threshold={threshold}", f"target.volatility={volatility}",
        "target.vertical=sign",
    )  # fmt: skip
    assert found["passed"]


TRADING = list(
    itertools.product(
        choices(sizing.Config, "method"),
        choices(execution.Config, "protection_unit"),
        choices(execution.Config, "entry"),
        choices(execution.Config, "after_exit"),
    )
)


@pytest.mark.parametrize(("method", "unit", "entry", "after_exit"), TRADING)
def test_no_decision_size_stop_or_fill_peeks(tmp_path, method, unit, entry, after_exit):
    distance = {"percent": (0.4, 0.6), "atr": (1.5, 2.5)}[unit]
    found = probed(
        tmp_path, f"sizing.method={method}", f"execution.protection_unit={unit}", f"execution.entry={entry}",
        f"execution.after_exit={after_exit}", f"execution.stop_loss={distance[0]}",
        f"execution.take_profit={distance[1]}", "costs.impact=0.1", "costs.funding_rate=0.0001",
        "risk.max_daily_loss=0.05", "risk.max_drawdown=0.1", "sizing.half_life=8",
    )  # fmt: skip
    assert found["passed"]


@pytest.mark.parametrize(
    ("method", "volatility", "move"),
    [("volatility", "foretold", "size"), ("kelly", "foretold", "volatility"), ("fixed", "measured", "volatility")],
)
def test_no_foretold_figure_and_no_decision_by_it_peeks(tmp_path, method, volatility, move):
    assert {volatility} <= set(choices(sizing.Config, "volatility"))
    assert {move} <= set(choices(threshold.Config, "expected_move"))
    found = probed(
        tmp_path, 'training.tasks.names=["size", "volatility"]', f"sizing.method={method}",
        f"sizing.volatility={volatility}", f"strategy.expected_move={move}", "strategy.cost_multiple=0.1",
        "strategy.enter=0.0", "strategy.exit=0.0", "sizing.half_life=4",
    )  # fmt: skip
    assert found["passed"]
    assert "foretold figures" in {one["name"] for one in found["results"]}


@given(n=st.integers(1, 80), cut=st.integers(1, 80), factor=st.sampled_from([2, 3, 4, 16]), gap=st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_resampled_candles_do_not_change_when_more_history_arrives(n, cut, factor, gap):
    minute = 60_000
    times = 15 * minute * (np.arange(n) + np.where(np.arange(n) > n // 2, gap, 0))
    series = make_series(times, seed=n)
    coarse = Timeframe(factor * 15 * minute)
    whole, short = resample(series, coarse), resample(series.head(min(cut, n)), coarse)
    known = len(short)
    np.testing.assert_array_equal(short.open_time_ms, whole.open_time_ms[:known])
    np.testing.assert_array_equal(short.values, whole.values[:known])
    if known:
        assert short.close_time_ms[-1] <= series.head(min(cut, n)).close_time_ms[-1]
