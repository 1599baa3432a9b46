"""A recipe whose network reads order books beside candles, the whole way: trained, backtested, on paper, asked."""

import asyncio
import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.bootstrap.test_candle_books import without
from tests.fakes.micro import micro_recipe
from tests.live.house import House, paper

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.candle_books import tape_of
from triptych.bootstrap.candles import load_candles
from triptych.domain import OrderFilled
from triptych.domain.errors import ArtifactError, RunError
from triptych.inference import BookNeed, ConsensusArtifact, load_artifact
from triptych.live.journal import Journal, StepRecorded
from triptych.live.reloading import Reloader
from triptych.market import synthetic
from triptych.market.books import write_tape
from triptych.market.frames import to_panel
from triptych.settings.live import load_live_settings

CHART_AND_BOOK = (
    "encoding.name=multi_channel", "encoding.height=16", "encoding.width=16",
    'encoding.channels=[{name="gasf"}, {name="book_imbalance", levels=5}]', "training.epochs=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Candles and books of the embedded market as files, the books with a hole."""
    home = tmp_path_factory.mktemp("books")
    market = synthetic.synthesise(synthetic.Config(seed=11, n_candles=1_000, instruments=1))
    (series,) = market.series
    to_panel([series]).write_parquet(home / "candles.parquet")
    tape = tape_of(market, series.symbol)
    kept = np.ones(len(tape), dtype=bool)
    kept[[700, 950]] = False
    write_tape(home / "books.parquet", without(tape, ~kept))
    return home


@pytest.fixture(scope="module")
def trained_on_books(home):
    recipe = micro_recipe(
        home, "data.source=file", f"data.path={home / 'candles.parquet'}",
        f"data.books.path={home / 'books.parquet'}", *CHART_AND_BOOK,
    )  # fmt: skip
    told = []
    run = bootstrap.train(recipe, folder=home / "run", progress_bar=False, tell=told.append)
    bootstrap.report(run)
    assert "Left out of training and test: 32 windows without an order book at some close." in told
    return run.folder


def settings():
    return load_live_settings(overrides=["name=micro", "capital=10000", "model_deadline_seconds=60"])


def test_the_card_says_which_books_the_model_needs(trained_on_books):
    card = json.loads((trained_on_books / "folds" / "0" / "artifact" / "card.json").read_text())
    assert card["books"] == {"levels": 5, "max_age_ms": 5000}
    assert (card["columns"], card["features"]) == (25, {})
    assert load_artifact(trained_on_books / "folds" / "0" / "artifact").books == BookNeed(levels=5, max_age_ms=5_000)


def test_no_prediction_is_made_from_a_window_without_a_book(trained_on_books):
    (series,) = load_candles(open_run(trained_on_books).recipe).series
    predictions = pl.read_parquet(trained_on_books / "predictions.parquet")["time"].cast(pl.Int64).to_list()
    said = np.isin(series.close_time_ms, predictions)
    assert not said[950:966].any()
    assert said[949]
    assert said[966]


def test_a_new_model_takes_its_place_while_books_are_read_once_its_whole_window_was_heard(trained_on_books, tmp_path):
    place = shutil.copytree(trained_on_books / "folds" / "0" / "artifact", tmp_path / "artifact")
    artifact = load_artifact(place)
    (series,) = load_candles(open_run(trained_on_books).recipe).series
    clock, gateway = paper([series])
    house = House(tmp_path / "j.db", [series.instrument], gateway, clock, predictor=artifact.predictor())
    reloader = Reloader(
        folder=place, build=lambda one: one.predictor(), level=house.ladder.levels[0], trader=house.trader,
        timeframe=str(series.timeframe), known=[series.symbol], note=house.note, books=artifact.books,
    )  # fmt: skip
    card = json.loads((place / "card.json").read_text())
    (place / "card.json").write_text(json.dumps(card | {"name": "second"}))
    waits = f"model: the model in its place waits for order books: 1 of 16 closes of {series.symbol} have none"

    async def run():
        taken = []
        for row in range(930, 968):
            await house.trader.observe([series.candle(row)])
            if row >= 955 and await reloader.check():  # the book of 950 is missing
                taken.append(row)
        return taken

    assert asyncio.run(run()) == [966]
    assert [text for _, _, text, _ in house.said].count(waits) == 1
    assert house.ladder.levels[0].predictor.name == "second"
    house.close()


def test_paper_decides_and_trades_what_the_backtest_has(trained_on_books, home, tmp_path):
    start = int(pl.read_parquet(trained_on_books / "predictions.parquet")["time"].cast(pl.Int64).min())
    outcome = bootstrap.trade_on_paper(
        [trained_on_books], home / "candles.parquet", settings=settings(), journal=tmp_path / "j.db",
        books=[home / "books.parquet"], start_ms=start - 1,
    )  # fmt: skip
    journal = Journal.read(tmp_path / "j.db", "micro")
    fills = [entry.record for entry in journal.entries(kinds=(OrderFilled,))]
    expected = pl.read_parquet(trained_on_books / "backtest" / "fills.parquet").with_columns(
        pl.col("time").dt.epoch("ms")
    )
    assert [(f.time_ms, str(f.side), float(f.price)) for f in fills] == list(
        expected.select("time", "side", "price").iter_rows()
    )
    assert len(fills) >= 3
    decisions = pl.read_parquet(trained_on_books / "backtest" / "decisions.parquet").with_columns(
        pl.col("time").dt.epoch("ms")
    )
    wanted = {
        time: (target, buy) for time, target, buy in decisions.select("time", "target", "probability_buy").iter_rows()
    }
    found = {
        one.time_ms: (one.target, None if one.prediction is None else one.prediction.probability_buy)
        for entry in journal.entries(kinds=(StepRecorded,))
        for one in entry.record.decisions
    }
    last = max(found)  # the backtest ends with the close that nothing comes after
    assert wanted.keys() == found.keys() - {last}
    assert sum(buy is None for _, buy in wanted.values()) == 16  # no book at candle 950
    for time, (target, buy) in wanted.items():
        assert found[time][0] == target
        assert found[time][1] == (None if buy is None else pytest.approx(buy, abs=1e-6))
    assert outcome.decisions == len(wanted) + 1


def test_a_tape_of_candles_alone_is_refused(trained_on_books, home, tmp_path):
    with pytest.raises(ArtifactError) as refused:
        bootstrap.trade_on_paper(
            [trained_on_books], home / "candles.parquet", settings=settings(), journal=tmp_path / "j.db"
        )
    assert str(refused.value) == (
        "The model reads 5 levels of order book a side at every close, and there are candles alone. Bring the "
        "recordings beside them: --book FILE, or the folder of `triptych data record`."
    )


def test_it_is_asked_about_candles_with_books_beside_them(trained_on_books, home):
    said = bootstrap.predict(trained_on_books, home / "candles.parquet", books=[home / "books.parquet"], last=20)
    recorded = pl.read_parquet(trained_on_books / "predictions.parquet").tail(20)
    names = ["probability_sell", "probability_hold", "probability_buy"]
    assert said["time"].to_list() == recorded["time"].to_list()
    np.testing.assert_allclose(said.select(names), recorded.select(names), atol=1e-6)
    with pytest.raises(ArtifactError, match="The model reads 5 levels of order book a side at every close"):
        bootstrap.predict(trained_on_books, home / "candles.parquet")


def test_books_that_changed_since_the_training_are_found(trained_on_books, home):
    run = open_run(trained_on_books)
    kept = (home / "books.parquet").read_bytes()
    (series,) = load_candles(run.recipe).series
    market = synthetic.synthesise(synthetic.Config(seed=11, n_candles=1_000, instruments=1))
    write_tape(home / "books.parquet", tape_of(market, series.symbol))
    try:
        with pytest.raises(RunError, match="have changed since it was trained"):
            bootstrap.backtest(run)
    finally:
        (home / "books.parquet").write_bytes(kept)


def test_the_commands_take_the_books_too(trained_on_books, home, tmp_path, triptych):
    asked = ("predict", trained_on_books, "--data", home / "candles.parquet", "--last", 3, "--json")
    said = triptych(*asked, "--book", home / "books.parquet")
    assert said.status == 0
    assert len(json.loads(said.out)) == 3
    refused = triptych(*asked)
    assert refused.status != 0
    assert "Bring the recordings beside them: --book FILE" in refused.error
    paper = triptych(
        "live", trained_on_books, "--tape", home / "candles.parquet", "--book", home / "books.parquet", "--json",
        "--journal", tmp_path / "j.db", "--from", "2024-01-11T06:00", "--set", "model_deadline_seconds=60",
    )  # fmt: skip
    assert paper.status == 0
    assert json.loads(paper.out)["decisions"] > 5


def test_a_recipe_with_recordings_is_drawn_with_them(trained_on_books, home, tmp_path, triptych):
    said = triptych("render", trained_on_books / "recipe.toml", "--out", tmp_path / "seen.npy", "--quiet")
    assert said.status == 0, said.err
    assert list(tmp_path.iterdir())


def test_a_consensus_needs_what_its_deepest_and_strictest_member_needs(trained_on_books):
    one = load_artifact(trained_on_books / "folds" / "0" / "artifact")

    def member(books):
        return replace(one, card=one.card.model_copy(update={"books": books}))

    def needs(*members):
        return ConsensusArtifact(folder=one.folder, card=None, members=dict(enumerate(members)), combiner=None).books

    assert needs(member({}), member({})) is None
    assert needs(member({}), member({"levels": 5, "max_age_ms": 100})) == BookNeed(levels=5, max_age_ms=100)
    both = needs(member({"levels": 9, "max_age_ms": 900}), member({"levels": 5, "max_age_ms": 100}))
    assert both == BookNeed(levels=9, max_age_ms=100)
