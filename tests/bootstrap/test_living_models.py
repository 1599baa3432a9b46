"""Models of every kind on paper: what they trade there is what they have traded in their backtest, counted."""

import sys

import polars as pl
import pytest
from tests.bootstrap.test_consensus import written
from tests.bootstrap.test_sequence_runs import TIMEFRAMES, recipe_in

from triptych import bootstrap
from triptych.backtest import run_backtest
from triptych.bootstrap.candles import load_candles
from triptych.domain import OrderFilled
from triptych.inference import load_artifact
from triptych.inference.predictor import OnnxPredictor
from triptych.inference.recorded import RecordedPredictor
from triptych.inference.streaming import StreamingPredictor
from triptych.live.journal import Journal, StepRecorded
from triptych.live.monitoring import Metrics
from triptych.market.frames import to_panel
from triptych.settings import load_recipe
from triptych.settings.live import load_live_settings
from triptych.strategies import create_strategy


def tape_of(run, folder, last=None):
    path = folder / f"tape-{last}.parquet"
    series = load_candles(run.recipe).series
    to_panel([one if last is None else one.head(last) for one in series]).write_parquet(path)
    return path


def trade(run, folder, tape, journal="j.db", **settings):
    start = int(pl.read_parquet(run.folder / "predictions.parquet")["time"].cast(pl.Int64).min())
    words = {"name": run.recipe.name, "capital": 10_000, "model_deadline_seconds": 60} | settings
    live = load_live_settings(overrides=[f"{key}={value}" for key, value in words.items()])
    outcome = bootstrap.trade_on_paper([run.folder], tape, settings=live, journal=folder / journal, start_ms=start - 1)
    return outcome, Journal.read(folder / journal, run.recipe.name)


def fills_in(journal):
    found = [entry.record for entry in journal.entries(kinds=(OrderFilled,))]
    return [(f.time_ms, f.symbol, str(f.side), float(f.price)) for f in found]


def decisions_in(journal):
    steps = [entry.record for entry in journal.entries(kinds=(StepRecorded,))]
    return [(d.time_ms, d.symbol, d.target) for step in steps for d in step.decisions]


def rows(frame, *columns):
    return list(frame.with_columns(pl.col("time").dt.epoch("ms")).select("time", *columns).iter_rows())


def equal(found, expected, what):
    """In any order within one close. A backtest ends with its last candle, on which a live house still decides."""
    end = max(one[0] for one in expected)
    found = [one for one in found if one[0] <= end]
    assert sorted(found) == sorted(expected)
    sys.stdout.write(f" [{what}: {len(found)}]")


@pytest.mark.slow
def test_several_timeframes_of_several_instruments_are_asked_in_one_call_a_close(tmp_path, monkeypatch, capsys):
    run = bootstrap.train(recipe_in(tmp_path, *TIMEFRAMES, "data.synthetic.instruments=2"), folder=tmp_path / "run")
    asked, batches = OnnxPredictor.answers, []

    def counted(self, windows):
        batches.append(len(windows))
        return asked(self, windows)

    monkeypatch.setattr(OnnxPredictor, "answers", counted)
    bootstrap.backtest(run)
    batches.clear()
    outcome, journal = trade(run, tmp_path, tape_of(run, tmp_path))
    assert batches == [1] + [2] * outcome.decisions  # the first makes it ready
    backtest = run.folder / "backtest"
    with capsys.disabled():
        equal(decisions_in(journal), rows(pl.read_parquet(backtest / "decisions.parquet"), "symbol", "target"),
              "decisions of two instruments in three timeframes, equal to the backtest")  # fmt: skip
        equal(fills_in(journal), rows(pl.read_parquet(backtest / "fills.parquet"), "symbol", "side", "price"), "fills")


@pytest.mark.slow
def test_closes_at_which_a_companion_did_not_trade_are_decided_on_as_in_the_backtest(tmp_path, capsys):
    made = load_candles(recipe_in(tmp_path, "data.synthetic.instruments=2")).series
    own, beside = to_panel(made[:1]), to_panel(made[1:])
    gone = (pl.int_range(pl.len()) % 9 == 4) | pl.int_range(pl.len()).is_between(1_200, 1_225)
    tape = tmp_path / "tape.parquet"
    # The companion lacks single candles and has an outage; the instrument itself does not trade once a day.
    pl.concat([own.filter(pl.int_range(pl.len()) % 24 != 7), beside.filter(~gone)]).write_parquet(tape)
    symbols = [one.symbol for one in made]
    where = (f"data.path={tape}", f"data.symbols=['{symbols[0]}']", f"features.companions=['{symbols[1]}']")
    run = bootstrap.train(
        recipe_in(tmp_path, "data.source=file", *where, "features.periods=[1, 4]", "encoding.factors=12"),
        folder=tmp_path / "run", progress_bar=False,
    )  # fmt: skip
    bootstrap.backtest(run)
    outcome, journal = trade(run, tmp_path, tape)
    expected = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert expected["reason"].str.contains("no usable prediction").any()
    with capsys.disabled():
        equal(decisions_in(journal), rows(expected, "symbol", "target"), "decisions beside a companion with holes")
    assert outcome.decisions == len(decisions_in(journal))


@pytest.mark.slow
def test_a_consensus_trades_as_in_its_backtest_and_every_vote_is_written_down(tmp_path, monkeypatch, capsys):
    shown = []
    created = Metrics.__init__
    monkeypatch.setattr(Metrics, "__init__", lambda self: (created(self), shown.append(self))[0])
    run = bootstrap.train(load_recipe(str(written(tmp_path))), folder=tmp_path / "run")
    bootstrap.backtest(run)
    _, journal = trade(run, tmp_path, tape_of(run, tmp_path))
    backtest = run.folder / "backtest"
    with capsys.disabled():
        equal(decisions_in(journal), rows(pl.read_parquet(backtest / "decisions.parquet"), "symbol", "target"),
              "decisions of a consensus, equal to the backtest")  # fmt: skip
        equal(fills_in(journal), rows(pl.read_parquet(backtest / "fills.parquet"), "symbol", "side", "price"), "fills")
    said = [d.prediction for e in journal.entries(kinds=(StepRecorded,)) for d in e.record.decisions]
    assert {tuple(vote.model for vote in one.votes) for one in said} == {("prices", "candles")}
    shares = [line for line in shown[-1].text().decode().splitlines() if line.startswith("triptych_agreement_ratio{")]
    assert len(shares) == 2
    assert all(float(line.split()[-1]) in (0.0, 0.5, 1.0) for line in shares)


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streamed")
    return bootstrap.train(recipe_in(folder), folder=folder / "run")


def test_a_memory_is_carried_from_candle_to_candle_and_says_what_reading_anew_says(
    streamed, tmp_path, monkeypatch, capsys
):
    stepped, anew = [], []
    one_step, whole = StreamingPredictor._next, StreamingPredictor._anew
    monkeypatch.setattr(StreamingPredictor, "_next", lambda *a: (stepped.append(found := one_step(*a)), found)[1])
    monkeypatch.setattr(StreamingPredictor, "_anew", lambda *a: (anew.append(found := whole(*a)), found)[1])
    recipe, series = streamed.recipe, load_candles(streamed.recipe).series
    _, journal = trade(streamed, tmp_path, tape_of(streamed, tmp_path), sequence_models="stream")
    carried = sum(one is not None for one in stepped)
    predictor = load_artifact(streamed.artifact).streaming_predictor()
    times = pl.read_parquet(streamed.folder / "predictions.parquet")["time"].cast(pl.Int64)
    first, last = int(times.min()), int(series[0].close_time_ms[-1])
    expected = run_backtest(
        series, RecordedPredictor.record(predictor, series, start_ms=first, end_ms=last + 1),
        strategy=create_strategy(recipe.strategy),
        sizing=recipe.sizing, execution=recipe.execution, risk=recipe.risk, costs=recipe.costs,
        initial_capital=10_000, name=recipe.name, start_ms=first,
    )  # fmt: skip
    decided = decisions_in(journal)
    reference = {(time, symbol): target for time, symbol, target in rows(expected.decisions, "symbol", "target")}
    with capsys.disabled():
        equal([one for one in decided if one[:2] in reference], [(*k, v) for k, v in reference.items()],
              f"decisions of a carried memory, {carried} of {len(stepped)} by one step")  # fmt: skip
    assert carried > 10 * len(anew)  # read anew only when the clock says so


def test_a_restart_reads_the_memory_anew_and_goes_on_as_if_nothing_had_been(streamed, tmp_path):
    n = len(load_candles(streamed.recipe).series[0])
    whole = trade(streamed, tmp_path, tape_of(streamed, tmp_path), "whole.db", sequence_models="stream")[1]
    for last in (n - 37, None):
        parts = trade(streamed, tmp_path, tape_of(streamed, tmp_path, last), "parts.db", sequence_models="stream")[1]
    assert decisions_in(parts) == decisions_in(whole)
    assert fills_in(parts) == fills_in(whole)
