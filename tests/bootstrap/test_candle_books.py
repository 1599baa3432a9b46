"""Order books beside candles: found, aligned, and refused where they are not those of the candles."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe
from tests.fakes.served import BITCOIN

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candle_books import beside, book_need, tape_of, windows_without_books
from triptych.bootstrap.candles import load_candles, with_absolute_path
from triptych.bootstrap.recorded_books import with_recorded
from triptych.bootstrap.taping import tape_series
from triptych.domain import Timeframe
from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.inference import BookNeed
from triptych.market import synthetic
from triptych.market.books import BookTape, sample_at, write_tape
from triptych.market.frames import to_panel
from triptych.market.tapes import About, TapeEntry, TapeWriter

NEED = BookNeed(levels=3, max_age_ms=5_000)
IMBALANCE = ("encoding.name=book_imbalance", "encoding.levels=3")


@pytest.fixture(scope="module")
def market():
    return synthetic.synthesise(synthetic.Config(seed=11, n_candles=600, instruments=1))


def on_files(tmp_path, market, *overrides, tape=None, name="books.parquet"):
    """A recipe on a file of candles with a file of books beside it."""
    (series,) = market.series
    to_panel([series]).write_parquet(tmp_path / "candles.parquet")
    write_tape(tmp_path / name, tape_of(market, series.symbol) if tape is None else tape)
    return micro_recipe(
        tmp_path, "data.source=file", f"data.path={tmp_path / 'candles.parquet'}",
        f"data.books.path={tmp_path / name}", *IMBALANCE, *overrides,
    )  # fmt: skip


def without(tape, gone):
    """The tape without the rows where `gone` is true."""
    kept = ~gone
    return BookTape(
        symbol=tape.symbol, time_ms=tape.time_ms[kept],
        bid_prices=tape.bid_prices[kept], bid_sizes=tape.bid_sizes[kept],
        ask_prices=tape.ask_prices[kept], ask_sizes=tape.ask_sizes[kept],
    )  # fmt: skip


def test_books_are_loaded_only_where_something_reads_them(tmp_path):
    assert load_candles(micro_recipe(tmp_path)).series[0].books is None
    (series,) = load_candles(micro_recipe(tmp_path, *IMBALANCE)).series
    assert series.books.shape == (1000, 12)
    by_factor = micro_recipe(
        tmp_path, "encoding.name=sequence", "encoding.factors=1", 'features.names=["queue_imbalance"]'
    )
    assert load_candles(by_factor).series[0].books.shape == (1000, 4)


def test_each_candle_carries_the_book_that_the_recording_held_at_its_close(tmp_path, market):
    told = []
    candles = load_candles(on_files(tmp_path, market), told.append)
    (series,), tape = candles.series, tape_of(market, market.series[0].symbol).top(3)
    np.testing.assert_array_equal(series.books, sample_at(tape, series.close_time_ms, 5_000).tape.rows())
    np.testing.assert_array_equal(series.candle(7).book, tape.rows()[7])
    assert told[-1] == (f"{series.symbol}: 600 of 600 candles close with an order book of 3 levels a side beside them.")
    whole = beside(market.series[0], tape, NEED)
    np.testing.assert_array_equal(beside(market.series[0].head(100), tape, NEED).books, whole.books[:100])


def test_the_hash_of_the_data_covers_the_books(tmp_path, market):
    recipe = on_files(tmp_path, market)
    before = load_candles(recipe)
    tape = tape_of(market, market.series[0].symbol)
    write_tape(tmp_path / "books.parquet", replace(tape, bid_sizes=tape.bid_sizes * 2))
    after = load_candles(recipe)
    assert before.hash != after.hash
    assert before.history == after.history  # trials on the same market, with or without books, are counted together


def test_a_book_that_is_too_old_is_none_and_its_windows_are_left_out_and_counted(tmp_path, market):
    tape = tape_of(market, market.series[0].symbol)
    gone = np.zeros(len(tape), dtype=bool)
    gone[[100, 101, 300]] = True
    told = []
    recipe = on_files(tmp_path, market, tape=without(tape, gone))
    candles = load_candles(recipe, told.append)
    (series,) = candles.series
    assert np.flatnonzero(series.bookless).tolist() == [100, 101, 300]
    assert told[-1] == (
        f"{series.symbol}: 597 of 600 candles close with an order book of 3 levels a side beside them; of 3 it is "
        "missing or more than 5 s old."
    )
    assert windows_without_books(series, 16) == 17 + 16
    dataset = Dataset.of(recipe, candles)
    assert dataset.without_books == 17 + 16
    ends = np.concatenate([one.indices[0] for fold in dataset.folds for one in fold.segments])
    assert not set(ends.tolist()) & {*range(100, 117), *range(300, 316)}
    assert {99, 117, 316} & set(ends.tolist())
    # An older book is taken where the recipe allows it: the candle before closed 15 minutes ago.
    (patient,) = load_candles(
        on_files(tmp_path, market, "data.books.max_age_ms=1800000", tape=without(tape, gone))
    ).series
    assert not patient.bookless.any()
    np.testing.assert_array_equal(patient.books[101], patient.books[99])


def test_a_recipe_that_reads_books_must_say_where_they_are(tmp_path, market):
    recipe = on_files(tmp_path, market)
    unsaid = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"books": recipe.data.books.model_copy(update={"path": None})})}
    )
    with pytest.raises(RecipeError) as refused:
        load_candles(unsaid)
    assert str(refused.value) == (
        "micro reads 3 levels of order book a side, and data.books.path names no recording. Name a file or folder of "
        "order books in data.books.path, or choose an encoding and factors of candles."
    )
    said = recipe.model_copy(
        update={
            "data": recipe.data.model_copy(
                update={"books": recipe.data.books.model_copy(update={"path": {"OTHER": "x.parquet"}})}
            )
        }
    )
    with pytest.raises(RecipeError) as refused:
        load_candles(said)
    assert str(refused.value) == (
        f"data.books.path names no recording of {market.series[0].symbol}. It names those of OTHER; add one, or choose "
        "instruments by data.symbols."
    )


def test_books_of_another_name_are_refused_unless_said_to_be_those_of_the_candles(tmp_path, market):
    symbol = market.series[0].symbol
    tape = replace(tape_of(market, symbol), symbol="OTHER")
    recipe = on_files(tmp_path, market, tape=tape)
    with pytest.raises(DataError) as refused:
        load_candles(recipe)
    assert str(refused.value) == (
        f"The order books of books.parquet are of OTHER, and the candles of {symbol}. Bring books of {symbol}; if "
        f'these are, say so: data.books.path = {{"{symbol}" = "FILE"}}.'
    )
    said = on_files(tmp_path, market, f'data.books.path={{"{symbol}" = "{tmp_path / "books.parquet"}"}}', tape=tape)
    assert not load_candles(said).series[0].bookless.any()
    absolute = with_absolute_path(said).data.books.path
    assert absolute == {symbol: str(tmp_path / "books.parquet")}


def test_books_at_prices_of_something_else_are_refused_whatever_they_are_called(tmp_path, market):
    tape = tape_of(market, market.series[0].symbol)
    strange = replace(tape, bid_prices=tape.bid_prices * 2, ask_prices=tape.ask_prices * 2)
    with pytest.raises(DataError) as refused:
        load_candles(on_files(tmp_path, market, tape=strange))
    assert "the mid of the order books lies 100% from the close of the candles beside them" in str(refused.value)
    assert str(refused.value).endswith(
        "The books are of another instrument, or their times are not UTC: bring those of the candles."
    )


def test_books_of_another_time_are_refused_with_both_times(tmp_path, market):
    tape = tape_of(market, market.series[0].symbol)
    with pytest.raises(DataError) as refused:
        load_candles(on_files(tmp_path, market, tape=replace(tape, time_ms=tape.time_ms + 86_400_000 * 30)))
    assert str(refused.value) == (
        f"{tape.symbol}: no candle closes with an order book beside it that is 5 s old or younger: there are books "
        "from 2024-01-31 00:15:00 to 2024-02-06 06:00:00, and closes from 2024-01-01 00:15:00 to 2024-01-07 06:00:00 "
        "UTC. Bring books and candles of the same time, or raise data.books.max_age_ms."
    )


def test_too_few_levels_are_told(tmp_path, market):
    with pytest.raises(NotEnoughData) as refused:
        load_candles(on_files(tmp_path, market, "encoding.levels=12"))
    assert str(refused.value) == (
        f"{market.series[0].symbol}: 12 levels of order book a side are read, and the recording has 10. Set the levels "
        "of the encoding to 10 or fewer, leave out factors of deeper books, or bring a deeper recording."
    )
    with pytest.raises(RecipeError) as refused:
        load_candles(micro_recipe(tmp_path, *IMBALANCE, "encoding.levels=12"))
    assert str(refused.value) == (
        "12 levels of order book a side are read, and the books of the embedded market have 10. Set "
        "data.synthetic.book.levels to 12, or the levels of the encoding to 10 or fewer."
    )


def test_a_window_without_any_whole_stretch_of_books_is_refused(tmp_path, market):
    tape = tape_of(market, market.series[0].symbol)
    recipe = on_files(tmp_path, market, tape=without(tape, np.arange(len(tape)) % 10 == 0))
    candles = load_candles(recipe)
    with pytest.raises(NotEnoughData) as refused:
        Dataset.of(recipe, candles)
    assert str(refused.value) == (
        f"{tape.symbol}: no window of 16 candles has an order book beside every one of them: 60 of 600 have none that "
        "is fresh enough. Bring recordings without holes, raise data.books.max_age_ms, or shorten window.length or "
        "features.window."
    )


def test_whole_trading_days_and_books_do_not_go_together(tmp_path):
    recipe = micro_recipe(
        tmp_path, "encoding.name=factor_grid", "encoding.factors=1", "encoding.bars_per_row=4",
        'features.names=["queue_imbalance"]', 'features.day.hours=["09:30-16:00"]', "execution.without_prediction=hold",
        "features.window=20",
    )  # fmt: skip
    with pytest.raises(RecipeError, match="Windows of whole trading days and order books do not go together"):
        Dataset.of(recipe, load_candles(recipe))


def test_candles_may_be_made_of_the_trades_beside_the_books(tmp_path, market):
    (series,) = market.series
    times = np.repeat(series.open_time_ms, 2)
    times[1::2] += 1_000
    pl.DataFrame(
        {
            "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            "price": np.stack([series.values[:, 0], series.close], axis=1).ravel(),
            "size": np.ones(2 * len(series)),
            "side": [1, -1] * len(series),
        }
    ).write_parquet(tmp_path / "ALFA-USDT_trades.parquet")
    recipe = on_files(tmp_path, market, "data.timeframe=15m")
    data = recipe.data.model_copy(
        update={"path": str(tmp_path / "ALFA-USDT_trades.parquet"), "symbols": (series.symbol,)}
    )
    (found,) = load_candles(recipe.model_copy(update={"data": data})).series
    np.testing.assert_array_equal(found.close, series.close[: len(found)])
    assert not found.bookless.any()
    with pytest.raises(DataError, match=r"holds trades\. Say of what length their candles are: data\.timeframe\."):
        load_candles(recipe.model_copy(update={"data": data.model_copy(update={"timeframe": None})}))


def test_a_table_with_a_crossed_book_is_refused_with_its_row(tmp_path, market):
    recipe = on_files(tmp_path, market)
    table = pl.read_parquet(tmp_path / "books.parquet")
    best = table["ask_price_1"].to_list()
    crossed = table["bid_price_1"].to_list()
    crossed[5] = best[5]
    table.with_columns(pl.Series("bid_price_1", crossed)).write_parquet(tmp_path / "books.parquet")
    with pytest.raises(DataError) as refused:
        load_candles(recipe)
    assert str(refused.value) == (
        f"BOOKS: row 5 (2024-01-01 01:30:00 UTC) of the books: crossed book, best bid {best[5]} >= best ask {best[5]}."
    )


def test_candles_are_made_of_the_trades_of_a_tape_that_holds_no_candles(tmp_path):
    topic = "publicTrade.BTCUSDT"
    about = About(venue="bybit", category="linear", topics=(topic,), timeframes=(), instruments=(BITCOIN,))
    prices = [100.0, 101.0, 99.0, 100.5, 102.0]
    with TapeWriter(tmp_path / "tape", about) as writer:
        for i, price in enumerate(prices):
            at = 1_700_006_400_000 + 20_000 * i
            trade = {"T": at, "s": "BTCUSDT", "S": "Buy", "v": "2", "p": str(price), "i": str(i), "BT": False}
            content = {"topic": topic, "type": "snapshot", "ts": at, "data": [trade]}
            writer.append(TapeEntry(at * 1_000_000, topic, content))
    (series,) = tape_series(tmp_path / "tape", Timeframe.parse("1m"))
    assert series.instrument == BITCOIN
    assert series.values.tolist() == [[100.0, 101.0, 99.0, 99.0, 6.0]]  # that of the last trade may not have closed
    with pytest.raises(DataError, match="holds candles of no timeframe, and some are wanted"):
        tape_series(tmp_path / "tape")


@pytest.mark.parametrize(("factor", "needed"), [("queue_imbalance", True), ("return_1", False)])
def test_companions_need_books_only_where_factors_read_them(tmp_path, factor, needed):
    own, other = synthetic.Config(instruments=2).symbols
    encoding = ("encoding.name=multi_channel", "encoding.height=8", "encoding.width=8")
    channels = 'encoding.channels=[{name="factor_grid", factors=1, channels=2, bars_per_row=4}, {name="book_imbalance"'
    recipe = micro_recipe(
        tmp_path, "data.synthetic.instruments=2", "features.window=20", *encoding, channels + ", levels=2}]",
        f'data.symbols=["{own}"]', f'features.companions=["{other}"]', f'features.names=["{factor}"]',
    )  # fmt: skip
    candles = load_candles(recipe)
    assert candles.series[0].books.shape == (1000, 8)
    assert (candles.companions[0].books is not None) == needed
    assert book_need(recipe, candles.timeframe) == BookNeed(levels=2, max_age_ms=5_000, companions=needed)
    dataset = Dataset.of(recipe, candles)
    assert dataset.tables[0].values.shape == (1000, 2 + 8)
    assert np.isfinite(dataset.tables[0].values[100:]).all()
    bare = with_recorded(
        [replace(one, books=None) for one in (*candles.series, *candles.companions)],
        BookNeed(levels=2, max_age_ms=5_000, companions=needed),
        [written(tmp_path, recipe, symbol) for symbol in (own, other)[: 1 + needed]],
        only_seen=[other],
    )
    np.testing.assert_array_equal(bare[0].books, candles.series[0].books)
    assert (bare[1].books is not None) == needed


def written(folder, recipe, symbol):
    """The books of an instrument of the embedded market as a file that bears its name."""
    return write_tape(folder / f"{symbol}.parquet", tape_of(synthetic.synthesise(recipe.data.synthetic), symbol))
