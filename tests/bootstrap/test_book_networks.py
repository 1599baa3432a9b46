"""A network of order books beside candles: trained, traded as it is and as factors, backtest, paper and live alike."""

import json
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.bootstrap.books.test_training import TINY
from tests.fakes.booked_tape import booked_tape, play_and_interrupt
from tests.fakes.books import leaning_tape
from tests.fakes.micro import micro_recipe
from tests.fakes.served import in_thread

from triptych import bootstrap
from triptych.bootstrap.book_networks import pinned_book_network, taught_until_ms
from triptych.bootstrap.books import explanation_checks as book_checks
from triptych.bootstrap.books.trading import _split_behind
from triptych.bootstrap.books.training import train_books
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.run_folder import open_run, recipe_hash
from triptych.bootstrap.serving import recording_for_serving, tape_for_serving
from triptych.domain.errors import ArtifactError, DataError, NotEnoughData, RecipeError, RunError
from triptych.exchanges.simulated.server import BybitServer
from triptych.inference import load_artifact
from triptych.live.journal import Journal, StepRecorded
from triptych.market.books import BookTape, read_books, write_tape
from triptych.market.store import to_ms
from triptych.settings.live import load_live_settings

N, HOLE = 300, 260
EVERY_MS, OLDEST_MS = 10_000, 40_000
BOOKS = TINY.model_copy(
    update={
        "data": TINY.data.model_copy(update={"every_ms": EVERY_MS, "levels": 10, "stride": 2}),
        "encoding": {"name": "book_levels", "levels": 10},
        "model": {"name": "deeplob", "levels": 10, "width": 0.125},
        "target": TINY.target.model_copy(update={"horizon": 9}),
        "training": TINY.training.model_copy(update={"epochs": 1}),
    }
)
BESIDE = (
    f"data.books.max_age_ms={OLDEST_MS}", "strategy.enter=0.01", "strategy.exit=0.0", "training.epochs=2",
    "evaluation.resamples=100", "backtest.luck.replicates=200", "split.minimum_samples=10",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A tape of candles and books, and a network that was taught by the first two thirds of it."""
    home = tmp_path_factory.mktemp("book_networks")
    booked_tape(home / "tape", N, hole=HOLE)
    train_books([home / "tape"], BOOKS, home / "net")
    return home


@pytest.fixture(scope="module")
def traded(home):
    """The network traded as it is."""
    run = bootstrap.trading_run(home / "net", home / "tape", [], overrides=["data.timeframe=1m", *BESIDE])
    bootstrap.backtest(run)
    return run


def recipe_of(home, *overrides):
    """A recipe that reads what the network says beside walls and the cost of orders."""
    return micro_recipe(
        home, "data.source=file", f"data.path={home / 'tape'}", f"data.books.path={home / 'tape'}", *BESIDE,
        "encoding.name=sequence", "encoding.factors=14", "features.normalisation=none", "target.horizon=2",
        'features.names=["return_1", "book_orders", "book_network"]', "model.name=gru", "model.width=0.1",
        f"features.book_network.folder={home / 'net'}", f"features.book_rows.every_ms={EVERY_MS}",
        "features.book_rows.rows=24", "features.book_rows.multiple=2.0", "features.book_rows.layer_multiple=1.5",
        "model.sequence.labels_per_parameter=0", "window.length=6", "window.stride=1",
        "split.train=0.5", "split.validation=0.2", "split.test=0.3", *overrides,
    )  # fmt: skip


@pytest.fixture(scope="module")
def factored(home):
    """The recipe trained; the folder of the network is elsewhere by then."""
    run = bootstrap.train(recipe_of(home), folder=home / "run", progress_bar=False)
    bootstrap.backtest(run)
    return run


def settings():
    return load_live_settings(
        overrides=["name=micro", "capital=10000", "model_deadline_seconds=60", "books.patience_seconds=0.05"]
    )


def decided(journal):
    entries = Journal.read(journal, "micro").entries(kinds=(StepRecorded,))
    return {one.time_ms: one for entry in entries for one in entry.record.decisions}


def backtested(run):
    frame = pl.read_parquet(run.folder / "backtest" / "decisions.parquet").with_columns(pl.col("time").dt.epoch("ms"))
    return {time: rest for time, *rest in frame.select("time", "target", "probability_sell").iter_rows()}


def assert_same(found, wanted):
    for time_ms, (target, sell) in wanted.items():
        prediction = found[time_ms].prediction
        assert (prediction is None) == (sell is None)
        if prediction is not None:
            assert prediction.probability_sell == pytest.approx(sell, abs=1e-6)
        assert found[time_ms].target == target


def test_the_network_is_traded_only_on_closes_after_those_that_taught_it(home, traded):
    until = taught_until_ms(home / "net")
    predictions = pl.read_parquet(traded.folder / "predictions.parquet")["time"].cast(pl.Int64)
    assert until < predictions.min()
    assert traded.recipe.target.horizon == 2  # 9 rows of 10 s, in whole minutes
    assert open_run(home / "net").folder == traded.folder
    card = load_artifact(traded.artifact).card
    assert (card.model["name"], card.parameters) == ("recalibrated", 4)


def test_a_close_at_the_moment_behind_the_last_book_that_taught_is_untaught_everywhere(home, traded):
    until = taught_until_ms(home / "net")
    closes = until + 60_000 * np.arange(-4, 6)
    found = _split_behind(
        SimpleNamespace(series=[SimpleNamespace(close_time_ms=closes)]), until, traded.recipe.split, home / "net"
    )
    behind = (found["split.validation"] + found["split.test"]) / (
        traded.recipe.split.validation + traded.recipe.split.test
    )
    assert behind == pytest.approx(6 / 10)
    assert to_ms(found["split.samples_from"]) == until
    at = [datetime.fromtimestamp(one / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") for one in (until - EVERY_MS, until)]
    told = [bootstrap.explain_book(home / "net", [home / "tape"], at=one).learned_from_it for one in at]
    assert told == [True, False]


def test_the_run_that_trades_it_is_counted_beside_the_network(home, traded):
    assert (home / "trials.json").exists()
    assert not (home / "net" / "trials.json").exists()
    assert traded.record["counted"] == bootstrap.backtest(traded)["trials"] >= 2


def test_what_it_says_is_what_the_network_says_recalibrated(traded):
    import torch

    (series,) = load_candles(traded.recipe).series
    said = np.stack([series.notes[f"network:book_network_{name}"] for name in ("sell", "hold", "buy")], axis=1)
    artifact = load_artifact(traded.artifact)
    network = artifact.classifier().network
    frame = pl.read_parquet(traded.folder / "predictions.parquet")
    places = np.searchsorted(series.close_time_ms, frame["time"].cast(pl.Int64).to_numpy())
    with torch.no_grad():
        scores = np.log(said[places]) / np.exp(network.log_temperature.item()) + network.bias.numpy()
    wanted = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = frame.select("probability_sell", "probability_hold", "probability_buy").to_numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("which", ["traded", "factored"])
def test_paper_on_the_tape_decides_what_the_backtest_has(which, request, home, tmp_path):
    run = request.getfixturevalue(which)
    folder = home / "net" if which == "traded" else run.folder
    bootstrap.trade_on_paper([folder], home / "tape", settings=settings(), journal=tmp_path / "j.db")
    found, wanted = decided(tmp_path / "j.db"), backtested(run)
    assert wanted.keys() <= found.keys()
    assert sum(sell is None for _, sell in wanted.values()) >= 4  # a stale row
    assert len({target for target, _ in wanted.values()}) > 1
    assert_same(found, wanted)


@pytest.mark.parametrize("with_past", [False, True])
def test_live_on_a_venue_that_plays_the_tape_the_same_is_decided(factored, home, tmp_path, with_past):
    recording, _ = recording_for_serving(home / "tape")
    series = tape_for_serving(home / "tape", ())
    server = BybitServer(series, known=N - 25, recording=recording)
    with in_thread(server) as serve:
        stepping = threading.Thread(target=play_and_interrupt, args=(server, serve))
        stepping.start()
        bootstrap.trade_on_paper_at(
            [factored.folder], venue="local", symbols=["BTCUSDT"], journal=tmp_path / "j.db", hosts=server.hosts,
            settings=settings(), books=[home / "tape"] if with_past else (),
        )  # fmt: skip
        stepping.join()
    wanted = backtested(factored)
    same = {
        time_ms: one.prediction.probability_sell
        for time_ms, one in decided(tmp_path / "j.db").items()
        if one.prediction is not None and time_ms in wanted
    }
    assert len(same) >= (12 if with_past else 4)
    for time_ms, sell in same.items():
        assert sell == pytest.approx(wanted[time_ms][1], abs=1e-6)


def test_a_run_carries_the_network(factored, home):
    again = open_run(factored.folder)
    kept = Path(again.recipe.features.book_network.folder)
    assert kept == factored.folder / "folds" / "0" / "artifact" / "book_network"
    assert load_artifact(kept).card == load_artifact(home / "net" / "artifact").card


def test_the_same_network_elsewhere_is_the_same_run_and_another_one_is_refused(home, tmp_path):
    recipe = recipe_of(home)
    moved = shutil.copytree(home / "net" / "artifact", tmp_path / "moved")
    other = recipe_of(home, f"features.book_network.folder={moved}")
    first, second = pinned_book_network(recipe), pinned_book_network(other)
    assert recipe_hash(first.to_toml()) == recipe_hash(second.to_toml())
    card = moved / "card.json"
    card.write_text(card.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(ArtifactError, match="holds another network than the one the recipe was made with"):
        pinned_book_network(second)


def test_a_network_that_was_taught_by_books_of_the_test_is_refused(home, tmp_path):
    recipe = recipe_of(home, "split.train=0.45", "split.validation=0.15", "split.test=0.4")
    with pytest.raises(ArtifactError) as refused:
        bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    assert " was taught by order books of BTCUSDT until 2023-11-15 0" in refused.value.message
    assert refused.value.message.endswith(": the recipe's network would know what is to come.")
    assert not (tmp_path / "run").exists()


def test_a_network_and_its_factors_are_named_together(home):
    for override, words in (
        ('features.names=["return_1", "book_orders"]', "names a network that no factor reads"),
        ("features.book_network={}", "features.book_network.folder names none"),
    ):
        with pytest.raises(RecipeError, match=words):
            load_candles(recipe_of(home, override))


def test_a_network_that_was_not_tried_on_candles_is_not_opened_as_a_run(home, tmp_path):
    bare = shutil.copytree(home / "net", tmp_path / "net", ignore=shutil.ignore_patterns("trading", ".trading*"))
    with pytest.raises(RunError, match="holds a network of order books that has not been tried on candles"):
        open_run(bare)
    with pytest.raises(RunError, match="holds no run of `triptych books train`"):
        bootstrap.trading_run(tmp_path, home / "tape", [])


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_what_the_network_says_is_mapped_to_levels_and_rows(home, traded, method):
    (series,) = load_candles(traded.recipe).series
    close = 250
    at = pl.Series([int(series.close_time_ms[close])]).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S")[0]
    found = bootstrap.explain_book(home / "net", [home / "tape"], at=at, method=method)
    # It explains the very answer that stands beside the candle.
    said = [series.notes[f"network:book_network_{name}"][close] for name in ("sell", "hold", "buy")]
    assert found.explanation.probabilities.tolist() == pytest.approx(said, abs=2e-4)
    assert not found.learned_from_it
    assert found.times_ms[-1] == series.close_time_ms[close]
    assert len(found.times_ms) == BOOKS.length
    (axis,) = found.explanation.axes
    assert len(axis.names) == 40
    best = series.books[close]
    assert f"bid size 1 at {best[0]:.10g}" in axis.names
    assert f"ask price 10 at {best[29]:.10g}" in axis.names
    assert axis.values.sum() == pytest.approx(found.explanation.by_candle.sum())


def test_a_time_with_a_hole_before_it_is_not_explained(home, traded):
    with pytest.raises(DataError, match="one is missing, or more than 40 s old"):
        bootstrap.explain_book(home / "net", [home / "tape"], at="2023-11-15T04:22:00")


def test_no_window_across_a_gap_is_explained_however_short_it_was(home, traded, tmp_path):
    times = 1_700_000_000_000 // EVERY_MS * EVERY_MS + EVERY_MS * np.arange(60)
    whole = leaning_tape(60, levels=10)
    blocks = {name: getattr(whole, name) for name in ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")}
    tape = BookTape(symbol="BTCUSDT", time_ms=times, segment=(np.arange(60) >= 30).astype(np.int64), **blocks)
    book = write_tape(tmp_path / "gap.parquet", tape)
    at = [datetime.fromtimestamp(times[row] / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") for row in (29, 30, 48, 49)]
    for one in (at[0], at[3]):
        assert bootstrap.explain_book(home / "net", [book], at=one).unknown == ""
    for one in (at[1], at[2]):
        with pytest.raises(DataError, match=r"BTCUSDT: between the 20 books up to .* lies a gap of the recording"):
            bootstrap.explain_book(home / "net", [book], at=one)


def test_explanations_are_checked_on_books_that_taught_nothing_and_share_none(home, traded, monkeypatch, triptych):
    taught, seen = taught_until_ms(home / "net"), []
    honest = book_checks.checked

    def noted(method, looks, seed):
        seen.extend(looks)
        return honest(method, looks[:1], seed)

    monkeypatch.setattr(book_checks, "checked", noted)
    (row,) = bootstrap.check_book_explanations(home / "net", [home / "tape"], methods=("occlusion",))
    assert len(row["correlation"]) == 5
    assert row["flat"] == 1 or 0.0 <= row["beaten"] <= 1.0
    tape = book_checks._on_the_grid([home / "tape"], None, 10, EVERY_MS, OLDEST_MS)
    windows = np.lib.stride_tricks.sliding_window_view(tape.rows(10).astype(np.float32), BOOKS.length, axis=0)
    starts = [int(np.flatnonzero((windows == one.window.T).all(axis=(1, 2)))[0]) for one in seen]
    assert len(starts) > 3
    assert (np.diff(sorted(starts)) >= BOOKS.length).all()
    assert tape.time_ms[min(starts)] >= taught
    # It is the answer that is explained at that time.
    last = datetime.fromtimestamp(tape.time_ms[starts[0] + BOOKS.length - 1] / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    one = bootstrap.explain_book(home / "net", [home / "tape"], at=last, method="occlusion")
    assert float(one.explanation.probabilities.max()) == row["certainty"][2]
    # The command checks as well, and refuses what belongs to a single decision.
    said = triptych("explain", home / "net", "--book", home / "tape", "--check", "--decisions", "2", "-m", "occlusion")
    assert said.status == 0, said.err
    assert "surest decisions that share no book" in " ".join(said.out.split())
    refused = triptych("explain", home / "net", "--book", home / "tape", "--check", "--at", "last")
    assert "--check was given with --at." in refused.error


def test_books_that_all_taught_the_network_are_not_checked(home, traded, tmp_path):
    tape = read_books(home / "tape", levels=10, every_ms=EVERY_MS)
    stop = int(np.searchsorted(tape.time_ms, taught_until_ms(home / "net"))) + BOOKS.length - 1
    early = write_tape(tmp_path / "early.parquet", tape.between(0, stop))
    with pytest.raises(NotEnoughData, match="BTCUSDT: no 20 books, 10000 ms apart and without a gap, come after "):
        bootstrap.check_book_explanations(home / "net", [early])
    one_more = write_tape(tmp_path / "more.parquet", tape.between(0, stop + 1))
    (row,) = bootstrap.check_book_explanations(home / "net", [one_more], methods=("occlusion",))
    assert row["decisions"] == 1


def test_an_instrument_that_taught_nothing_is_explained_with_a_warning(home, traded, tmp_path, triptych):
    times = 1_700_000_000_000 // EVERY_MS * EVERY_MS + EVERY_MS * np.arange(30)
    whole = leaning_tape(30, levels=10)
    blocks = {name: getattr(whole, name) for name in ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")}
    book = write_tape(tmp_path / "eth.parquet", BookTape(symbol="ETHUSDT", time_ms=times, **blocks))
    words = "The network was trained on BTCUSDT and never on ETHUSDT; no test of it says what it foretells there."
    said = triptych("explain", home / "net", "--book", book)
    assert said.status == 0, said.err
    assert words in " ".join(said.err.split())
    assert json.loads(triptych("explain", home / "net", "--book", book, "--json").out)["warning"] == words
    assert words not in " ".join(triptych("explain", home / "net", "--book", home / "tape").err.split())


def test_the_commands_trade_and_explain_it(home, traded, tmp_path, triptych):
    said = triptych("explain", home / "net", "--book", home / "tape", "--out", tmp_path / "why.png")
    assert said.status == 0, said.err
    assert "By factor" in said.out
    assert (tmp_path / "why.png").exists()
    assert (tmp_path / "why.json").exists()
    again = triptych("backtest", home / "net", "--set", "strategy.enter=0.02", "--json")
    assert again.status == 0, again.err
    assert json.loads(again.out)["overrides"] == ["strategy.enter=0.02"]
    refused = triptych("backtest", traded.folder, "--data", home / "tape")
    assert "holds no run of `triptych books train`" in refused.error
