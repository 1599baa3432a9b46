"""A recipe with members, the whole way: trained, backtested, reported, probed, damaged."""

import json
import multiprocessing
import shutil
import signal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.fakes.killed_command import command_and_die
from tests.fakes.micro import MICRO

from triptych import bootstrap
from triptych.bootstrap.probing import ROWS
from triptych.bootstrap.voting import columns_of
from triptych.domain import CANDLE_FIELDS
from triptych.domain.errors import ArtifactError, RunError
from triptych.inference import load_consensus
from triptych.inference import regime as regime_
from triptych.settings import load_recipe

CONSENSUS = """
[split]
kind = "walk_forward"
train = 0.5
validation = 0.1
test = 0.4
folds = 2
[features]
window = 30
[consensus]
method = "{method}"
regime_length = 24
minimum_samples = 30
[[members]]
name = "prices"
[members.changes]
"features.names" = ["return_1", "body", "range"]
"encoding.name" = "factor_grid"
"encoding.factors" = 3
"encoding.upscale" = 4
[[members]]
name = "candles"
"""


def recipe_in(folder, method="stacking", *overrides):
    return load_recipe(str(written(folder, method)), overrides)


def written(folder, method="stacking"):
    """The recipe as a file; a small graph, because exporting it is what takes the time."""
    text = MICRO.replace("epochs = 3", "epochs = 1").replace("instruments = 1", "instruments = 2")
    text = text.replace('"efficientnet_b0"', '"lenet5_relu"').replace("width = 0.1", "width = 1.0")
    text = text.replace("depth = 0.1", "depth = 1.0").replace('name = "micro"', 'name = "both"')
    path = folder / "both.toml"
    path.write_text(text + CONSENSUS.format(method=method))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("consensus")


@pytest.fixture(scope="module")
def recipe(home):
    return recipe_in(home)


@pytest.fixture(scope="module")
def run(recipe, home):
    return bootstrap.train(recipe, folder=home / "runs" / "both")


@pytest.fixture(scope="module")
def judged(run):
    return bootstrap.backtest(run)


def test_members_are_trained_on_the_same_folds_and_the_judged_period_begins_with_the_second(run):
    votes = pl.read_parquet(run.folder / "votes.parquet")
    predictions = pl.read_parquet(run.folder / "predictions.parquet")
    assert votes["fold"].unique().sort().to_list() == [0, 1]
    assert predictions["fold"].unique().to_list() == [1]
    for name in ("prices", "candles"):
        own = pl.read_parquet(run.folder / "members" / name / "predictions.parquet")
        both = votes.join(own, on=["time", "symbol", "fold"])
        assert len(both) == len(votes)
        np.testing.assert_array_equal(both[columns_of(name)[2]], both["probability_buy"])
    records = [
        json.loads((run.folder / "members" / n / "run.json").read_text())["splits"] for n in ("prices", "candles")
    ]
    assert [r["test"]["start"] for r in records[0]] == [r["test"]["start"] for r in records[1]]


def test_the_combiner_learned_before_its_segment_began(run):
    combiner = load_consensus(run.artifact).combiner
    start = run.record["splits"][1]["test"]["start"]
    assert combiner.samples >= 30
    assert pl.Series([combiner.until_ms]).cast(pl.Datetime("ms"))[0].strftime("%Y-%m-%d %H:%M") <= start
    assert not (run.folder / "folds" / "0").exists()


def test_every_single_member_stands_among_the_baselines_and_every_member_counts_as_a_trial(run, judged):
    evaluation = bootstrap.evaluate(run)
    assert {"member prices", "member candles", "majority", "persistence", "logistic"} == set(evaluation["baselines"])
    assert -1 <= evaluation["leak_meter"]["model_mcc"] <= 1  # of the joint model, on the last fold
    ledger = json.loads((run.folder.parent / "trials.json").read_text())
    assert [len(marks) for marks in ledger.values()] == [3]
    assert judged["trials"] == 3
    assert set(judged["members"]) == {"prices", "candles"}
    assert judged["verdict"]["claims_edge"] is False


def test_every_decision_records_each_vote_and_the_reason(run, judged):
    decisions = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert len(decisions)
    assert decisions["votes"].null_count() == 0
    assert {tuple(v["model"] for v in votes) for votes in decisions["votes"].to_list()} == {("prices", "candles")}
    assert decisions["reason"].str.contains(r"; votes: prices \w+ 0\.\d+, candles \w+ 0\.\d+").all()


def test_the_report_shows_coverage_correlation_and_lift(run, judged):
    written = bootstrap.report(run)
    twin = json.loads(written.json.read_text())
    assert {"coverage", "precision", "precision_top", "mean_return", "mcc"} == set(
        twin["consensus"]["models"]["consensus"]
    )
    assert set(twin["consensus"]["lift"]) == {"precision", "precision_top", "mean_return", "mcc"}
    assert set(twin["consensus"]["error_correlation"]) == {"prices / candles"}
    page = written.html.read_text()
    assert "Lift over the better member" in page
    assert "How far the members" in page
    probe = json.loads((run.folder / "leak_probe.json").read_text())
    assert probe["passed"]
    names = {row["name"] for row in probe["results"]}
    assert {"votes and regime", "joint prediction", "joint decision and equity", "candles: prediction"} <= names
    assert all(row["compared"] for row in probe["results"])


def test_a_complete_run_is_not_trained_again_and_other_ways_to_join_take_its_members_over(run, recipe, home):
    told = []
    again = bootstrap.train(recipe, folder=run.folder, tell=told.append)
    assert again.record == run.record
    assert "is complete already" in told[-1]
    told.clear()
    other = bootstrap.train(recipe_in(home, "meta"), folder=home / "runs" / "meta", tell=told.append)
    assert sum(line.startswith("Taken over from ") for line in told) == 2
    assert not any("learns from" in line for line in told)
    decisions = bootstrap.backtest(other)
    assert decisions["trials"] == 4  # the members were counted already
    assert not list((home / "runs" / "meta" / "members").glob("*/.*tmp"))


def test_the_artifact_predicts_a_file_as_the_run_did(run, recipe, tmp_path):
    series = bootstrap.load_candles(recipe).series[0]
    fields = dict(zip(CANDLE_FIELDS, series.values.T, strict=True))
    path = tmp_path / "candles.parquet"
    pl.DataFrame({"symbol": series.symbol, "timestamp": series.open_time_ms, **fields}).write_parquet(path)
    said = bootstrap.predict(run.folder, path, last=40)
    recorded = pl.read_parquet(run.folder / "predictions.parquet").filter(symbol=series.symbol)
    both = said.join(recorded, on=["symbol", "time"], suffix="_recorded")
    assert len(both) == 40
    np.testing.assert_allclose(both["probability_buy"], both["probability_buy_recorded"], atol=1e-5)


def test_taking_the_future_away_changes_no_prediction_of_the_trained_consensus(run, recipe):
    predictor = load_consensus(run.artifact).predictor()
    series = bootstrap.load_candles(recipe).series[0]
    ends = np.arange(len(series) - 80, len(series) - 40)
    whole = predictor.predictions_over(series, ends)
    values = series.values.copy()
    np.random.default_rng(0).shuffle(values[len(series) - 40 :])
    assert predictor.predictions_over(series.head(len(series) - 40), ends) == whole
    shuffled = type(series)(
        instrument=series.instrument, timeframe=series.timeframe, open_time_ms=series.open_time_ms, values=values
    )
    assert predictor.predictions_over(shuffled, ends) == whole


def test_a_regime_that_peeks_is_found_out(recipe, monkeypatch):
    honest = regime_.regime_over

    def peeking(series, ends, length):
        return honest(series, np.minimum(ends + 1, len(series) - 1), length)

    monkeypatch.setattr("triptych.inference.consensus.regime_over", peeking)
    found = bootstrap.leak_probe(recipe, cuts=2, instruments=1)
    assert not found["passed"]
    assert "votes and regime" in found["sentence"]
    assert ROWS > 1


@pytest.fixture
def copied(run, tmp_path):
    folder = tmp_path / "artifact"
    shutil.copytree(run.artifact, folder)
    return folder


def test_a_member_whose_weights_were_altered_is_refused(copied):
    path = copied / "members" / "candles" / "model.onnx"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArtifactError) as caught:
        load_consensus(copied)
    assert caught.value.message == f"{path} is damaged: it is not the file its card was written for."


def test_a_member_that_was_exchanged_for_another_whole_model_is_refused(copied, run):
    shutil.rmtree(copied / "members" / "candles")
    shutil.copytree(run.folder / "members" / "candles" / "folds" / "0" / "artifact", copied / "members" / "candles")
    with pytest.raises(ArtifactError) as caught:
        load_consensus(copied)
    assert caught.value.message == (
        f"The member candles of {copied} was altered: it is not the model the consensus was made of."
    )


def test_a_combiner_that_was_altered_is_refused(copied):
    path = copied / "combiner.json"
    path.write_text(path.read_text().replace('"confidence": 0.0', '"confidence": 0.1'))
    with pytest.raises(ArtifactError) as caught:
        load_consensus(copied)
    assert caught.value.message == f"{path} is damaged: it is not the file its card was written for."


def test_a_folder_without_a_consensus_says_what_is_missing(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        load_consensus(tmp_path)
    assert caught.value.message == f"{tmp_path} is no consensus: consensus.json is missing."


def test_killed_at_one_stage_after_the_other_it_goes_on_and_ends_with_the_same_result(run, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["triptych.bootstrap", "triptych.cli"])
    folder = tmp_path / "runs" / "again"
    arguments = ["train", str(written(tmp_path)), "--out", str(folder), "--json"]

    def kill(name, count=1):
        process = context.Process(target=command_and_die, args=(arguments, name, count, "before"))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    kill("fit.json", count=3)  # the second member has learned its first fold, and nobody knows yet
    assert (folder / "members" / "prices" / "evaluation.json").exists()
    assert not (folder / "members" / "candles" / "evaluation.json").exists()
    with pytest.raises(RunError, match="is not trained to its end"):
        bootstrap.backtest(bootstrap.open_run(folder))
    kill("votes.parquet")
    kill("consensus_report.json")
    bootstrap.train(load_recipe(arguments[1]), folder=folder)
    for name in ("votes.parquet", "predictions.parquet", "evaluation.json", "consensus_report.json"):
        assert (folder / name).read_bytes() == (run.folder / name).read_bytes(), name
    for name in ("combiner.json", "consensus.json", "members/prices/weights.safetensors"):
        assert (folder / "folds/1/artifact" / name).read_bytes() == (run.artifact / name).read_bytes(), name
    ledger = json.loads((tmp_path / "runs" / "trials.json").read_text())
    assert [len(marks) for marks in ledger.values()] == [3]


def test_a_damaged_run_is_mended(run, recipe, tmp_path):
    folder = tmp_path / "runs" / "both"
    shutil.copytree(run.folder, folder)
    (folder / "folds/1/artifact/combiner.json").unlink()
    (folder / "predictions.parquet").write_bytes(b"nothing")
    told = []
    bootstrap.train(recipe, folder=folder, tell=told.append)
    assert any(line.endswith("Mending the run.") for line in told)
    assert (folder / "predictions.parquet").read_bytes() == (run.folder / "predictions.parquet").read_bytes()
    load_consensus(folder / "folds/1/artifact")
