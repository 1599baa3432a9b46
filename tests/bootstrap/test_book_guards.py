"""A guard whose detector reads order books: the same in the backtest and on paper, and refused where there are none."""

import numpy as np
import polars as pl
import pytest
from tests.bootstrap.test_candle_books import without
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap import create_detector
from triptych.bootstrap.candle_books import beside, tape_of
from triptych.bootstrap.guarding import open_watch, watch_need, with_watched_books
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.features.channels import market_channels
from triptych.inference import BookNeed, load_artifact
from triptych.inference.anomaly.saving import read_card, save_detector
from triptych.live.journal import Journal, StepRecorded
from triptych.market import synthetic
from triptych.market.books import write_tape
from triptych.market.frames import to_panel
from triptych.settings.live import load_live_settings

EXTRAS = ("spread", "depth_imbalance")
NEED = BookNeed(levels=5, max_age_ms=5_000)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Candles and books of the embedded market as files, with holes among the books, and a detector of both."""
    home = tmp_path_factory.mktemp("book_guard")
    market = synthetic.synthesise(synthetic.Config(seed=11, n_candles=1_000, instruments=1))
    (series,) = market.series
    to_panel([series]).write_parquet(home / "candles.parquet")
    gone = np.zeros(len(series), dtype=bool)
    gone[[850, *range(900, 906)]] = True
    tape = tape_of(market, series.symbol)
    write_tape(home / "books.parquet", without(tape, gone))
    made = market_channels([beside(series.head(500), tape, NEED)], EXTRAS)
    detector = create_detector("kmeans", length=8, bad_rows="mask")
    rows = pl.DataFrame(made.values, schema=list(made.columns))
    save_detector(home / "detector", detector.fit(rows, time=made.close_time_ms.astype("datetime64[ms]")))
    return home


def on_files(home, *overrides):
    return micro_recipe(
        home, "data.source=file", f"data.path={home / 'candles.parquet'}", f"guard.detector={home / 'detector'}",
        "guard.policy=flatten", "guard.false_alarms=0.5", "guard.calm=1", "guard.cool_down_hours=0",
        "training.epochs=1", "strategy.enter=0.0", "strategy.exit=0.0", *overrides,
    )  # fmt: skip


@pytest.fixture(scope="module")
def guarded(home):
    """A run that reads candles, guarded by a detector that reads books."""
    run = bootstrap.train(on_files(home, f"data.books.path={home / 'books.parquet'}"), folder=home / "run")
    bootstrap.backtest(run)
    return run.folder


def settings():
    return load_live_settings(overrides=["name=micro", "capital=10000", "model_deadline_seconds=60"])


def test_the_books_are_the_guards_alone_and_its_card_names_the_channels(guarded, home):
    assert load_artifact(guarded / "folds" / "0" / "artifact").books is None
    names = [name.split(" ", 1)[1] for name in read_card(home / "detector").columns]
    assert names == ["return", "range", "volume", "signed volume", *EXTRAS]


def test_paper_is_guarded_as_the_backtest_was(guarded, home, tmp_path):
    start = int(pl.read_parquet(guarded / "predictions.parquet")["time"].cast(pl.Int64).min())
    bootstrap.trade_on_paper(
        [guarded], home / "candles.parquet", settings=settings(), journal=tmp_path / "j.db",
        books=[home / "books.parquet"], start_ms=start - 1,
    )  # fmt: skip
    steps = [entry.record for entry in Journal.read(tmp_path / "j.db", "micro").entries(kinds=(StepRecorded,))]
    found = {one.time_ms: (one.target, one.reason) for step in steps for one in step.decisions}
    decisions = pl.read_parquet(guarded / "backtest" / "decisions.parquet").with_columns(pl.col("time").dt.epoch("ms"))
    wanted = {time: rest for time, *rest in decisions.select("time", "target", "reason").iter_rows()}
    found.pop(max(found))  # the backtest ends with the close that nothing comes after
    assert {time: list(rest) for time, rest in found.items()} == wanted
    assert sum("guard" in (reason or "") for _, reason in wanted.values()) > 10


def test_a_backtest_without_a_recording_is_refused(home):
    recipe = on_files(home)
    market = synthetic.synthesise(synthetic.Config(seed=11, n_candles=1_000, instruments=1))
    watch = open_watch(recipe.guard, market.series[0].timeframe)
    with pytest.raises(RecipeError) as error:
        with_watched_books(watch, recipe, market.series)
    assert str(error.value) == (
        "The guard's detector reads 5 levels of order book a side, and data.books.path of micro names no recording. "
        "Train with a file or folder of order books in data.books.path, or guard by a detector that was fitted on "
        "candles alone."
    )
    assert watch_need(watch, recipe, market.series[0].timeframe, ["OTHER"]).companions
    assert watch_need(watch, recipe, market.series[0].timeframe, watch.symbols) == NEED


def test_paper_on_candles_alone_is_refused(guarded, home, tmp_path):
    with pytest.raises(ArtifactError) as error:
        bootstrap.trade_on_paper(
            [guarded], home / "candles.parquet", settings=settings(), journal=tmp_path / "j.db"
        )  # fmt: skip
    assert str(error.value) == (
        "The guard's detector reads 5 levels of order book a side at every close, and there are candles alone. Bring "
        "the recordings beside them: --book FILE, or the folder of `triptych data record`."
    )
