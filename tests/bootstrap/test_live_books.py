"""One recorded tape, three ways: the backtest, paper on the tape, and the live stream of a venue that plays it."""

import threading

import numpy as np
import polars as pl
import pytest
from tests.fakes.booked_tape import booked_tape, play_and_interrupt
from tests.fakes.micro import micro_recipe
from tests.fakes.served import in_thread

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.serving import recording_for_serving, tape_for_serving
from triptych.exchanges.simulated.server import BybitServer
from triptych.live.journal import Journal, StepRecorded
from triptych.settings.live import load_live_settings

N, HOLE = 300, 270


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("live_books")
    booked_tape(home / "tape", N, hole=HOLE)
    recipe = micro_recipe(
        home, "data.source=file", f"data.path={home / 'tape'}", f"data.books.path={home / 'tape'}",
        "encoding.name=sequence", "encoding.factors=3", "features.normalisation=none",
        'features.names=["return_1", "queue_imbalance", "queue_imbalance_10"]', "model.name=gru", "model.width=0.1",
        "model.sequence.labels_per_parameter=0", "window.length=6", "window.stride=1", "training.epochs=2",
        "target.horizon=2",
    )  # fmt: skip
    trained = bootstrap.train(recipe, folder=home / "run", progress_bar=False)
    bootstrap.backtest(trained)
    return trained.folder


def settings():
    return load_live_settings(
        overrides=["name=micro", "capital=10000", "model_deadline_seconds=60", "books.patience_seconds=0.05"]
    )


def decided(journal):
    """What was decided at each close, with the probabilities it was decided on."""
    entries = Journal.read(journal, "micro").entries(kinds=(StepRecorded,))
    return {one.time_ms: one for entry in entries for one in entry.record.decisions}


def backtested(run):
    frame = pl.read_parquet(run / "backtest" / "decisions.parquet").with_columns(pl.col("time").dt.epoch("ms"))
    return {time: rest for time, *rest in frame.select("time", "target", "probability_sell").iter_rows()}


def assert_same(found, wanted):
    for time_ms in found.keys() & wanted.keys():
        target, sell = wanted[time_ms]
        prediction = found[time_ms].prediction
        assert (prediction is None) == (sell is None)
        if prediction is not None:
            assert prediction.probability_sell == pytest.approx(sell, abs=1e-6)
        assert found[time_ms].target == target


def test_the_tape_holds_candles_and_books_of_every_close_but_those_in_the_hole(run):
    (series,) = load_candles(open_run(run).recipe).series
    assert np.flatnonzero(series.bookless).tolist() == [HOLE]
    # Twelve levels come with the snapshot; the last change before a close, and that of the close itself, count.
    sizes = series.books[:, 10]
    assert len(np.unique(sizes[~np.isnan(sizes)])) > 0.9 * N


def test_paper_on_the_tape_decides_what_the_backtest_has(run, tmp_path):
    bootstrap.trade_on_paper([run], run.parent / "tape", settings=settings(), journal=tmp_path / "j.db")
    found, wanted = decided(tmp_path / "j.db"), backtested(run)
    assert wanted.keys() <= found.keys()
    assert sum(sell is None for _, sell in wanted.values()) == 6
    assert_same(found, wanted)


@pytest.mark.parametrize("with_past", [False, True])
def test_live_on_a_venue_that_plays_the_tape_the_same_is_decided(run, tmp_path, with_past):
    recording, _ = recording_for_serving(run.parent / "tape")
    series = tape_for_serving(run.parent / "tape", ())
    first = N - 25
    server = BybitServer(series, known=first, recording=recording)
    told = []
    with in_thread(server) as serve:
        stepping = threading.Thread(target=play_and_interrupt, args=(server, serve))
        stepping.start()
        bootstrap.trade_on_paper_at(
            [run], venue="local", symbols=["BTCUSDT"], journal=tmp_path / "j.db", hosts=server.hosts,
            settings=settings(), books=[run.parent / "tape"] if with_past else (), tell=told.append,
        )  # fmt: skip
        stepping.join()
    found, wanted = decided(tmp_path / "j.db"), backtested(run)
    answered = {time_ms for time_ms, one in found.items() if one.prediction is not None}
    closes = [int(close) for close in series[0].close_time_ms]
    # From the recording the window is full at once (its last book is missing until six closes after the hole);
    # without it, once six books were heard.
    begins = closes[HOLE + 6 if with_past else first + 5]
    assert min(answered) == begins
    assert {close for close in closes[: first + 18] if close >= begins} <= answered
    same = {time_ms: found[time_ms] for time_ms in answered}
    assert len(same.keys() & wanted.keys()) >= 12
    for time_ms in same.keys() & wanted.keys():
        assert same[time_ms].prediction.probability_sell == pytest.approx(wanted[time_ms][1], abs=1e-6)
    assert any("Order books of 10 levels a side stand beside the candles, from the stream of 50" in one for one in told)
