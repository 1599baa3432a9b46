import json
import re
from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.books import fi2010_file, leaning_file, leaning_tape

from triptych.bootstrap.books.opening import open_histories
from triptych.bootstrap.books.place import read_result
from triptych.bootstrap.books.training import NETWORK, QUEUE, train_books, verdict_of
from triptych.bootstrap.provenance import History
from triptych.bootstrap.trials import record_trial
from triptych.domain.errors import DataError, RunError, TriptychError
from triptych.inference import load_artifact
from triptych.market.books import write_tape
from triptych.settings.books import BookRecipe
from triptych.training.books import BookScores
from triptych.training.intervals import Interval

TINY = BookRecipe.model_validate(
    {
        "length": 20,
        "data": {"levels": 3, "stride": 3},
        "target": {"horizon": 10},
        "encoding": {"name": "book_levels", "levels": 3, "reach": 10.0},
        "model": {"name": "deeplob", "levels": 3, "width": 0.125},
        "training": {"epochs": 2, "batch_size": 32, "num_threads": 1, "learning_rate": 3e-3},
        "scoring": {"resamples": 100},
    }
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("books")
    file = leaning_file(folder, n=900)
    said: list[str] = []
    return file, folder / "run", train_books([file], TINY, folder / "run", tell=said.append), said


def test_a_run_holds_metrics_beside_both_baselines_splits_and_a_verdict(run):
    _, folder, result, said = run
    assert read_result(folder) == result
    assert list(result["scores"]["metrics"]) == [NETWORK, QUEUE, "majority"]
    assert result["scores"]["metrics"]["majority"]["mcc"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert result["scores"]["metrics"][QUEUE]["mcc"]["value"] > 0.1
    assert sum(result["scores"]["classes"].values()) == result["scores"]["samples"]
    assert "queue imbalance: MCC" in result["verdict"]
    assert said[0] == f"{result['data'][0]['symbol']}: 900 books, 100 ms apart."
    assert said[1].startswith("Fold 1: deeplob with ")


def test_the_network_is_a_trial_and_another_one_beside_it_a_second(run):
    file, folder, result, said = run
    assert said[-1] == f"Trials on this history in {folder.parent}: 1."
    (history,) = open_histories([file], TINY)
    found = json.loads((folder.parent / "trials.json").read_text())
    period = [int(history.time_ms[0]), int(history.time_ms[-1])]
    assert found.pop("periods") == {result["data_hash"]: {history.symbol: period}}
    assert [len(marks) for marks in found.values()] == [1]
    candles = History(mark="candles beside", periods={history.symbol: (period[0] - 1, period[0])})
    assert record_trial(folder / "trading", candles, "traded") == 2
    assert record_trial(folder.parent / "other" / "trading", candles, "traded") == 1


def test_the_artifact_is_loaded_and_says_what_was_judged(run):
    file, folder, result, _ = run
    artifact = load_artifact(folder / "artifact")
    assert artifact.card.columns == 12
    assert artifact.card.target["kind"] == "book_mid"
    assert artifact.card.metrics == result["scores"]
    (history,) = open_histories([file], TINY)
    ends = np.arange(700, 880)
    windows = history.rows[ends[:, None] + np.arange(-19, 1)]
    graph = artifact.predictor("onnx").probabilities(windows)
    network = artifact.predictor("torch").probabilities(windows)
    np.testing.assert_allclose(graph, network, atol=1e-4)
    np.testing.assert_allclose(graph.sum(axis=1), 1.0, atol=1e-5)


def test_the_same_call_gives_the_run_that_is_there_and_another_recipe_is_refused(run):
    file, folder, result, _ = run
    said: list[str] = []
    assert train_books([file], TINY, folder, tell=said.append) == result
    assert said == [f"{folder} holds this run already."]
    with pytest.raises(RunError) as caught:
        train_books([file], TINY.model_copy(update={"seed": 1}), folder)
    assert str(caught.value) == f"{folder} holds another run. Choose another folder, or replace it with --fresh."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {"name": "foo"}}, "Unknown model 'foo'."),
        ({"encoding": {"name": "book_levels", "levels": 2}}, "Expected windows of shape (batch, 20, 8)"),
        ({"data": TINY.data.model_copy(update={"stride": 10_000})}, "data.stride = 10000 leaves 0 windows"),
        ({"split": TINY.split.model_copy(update={"minimum_samples": 10_000})}, "part of fold 1 holds"),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_refused_training_leaves_the_folder_as_it_was(run, tmp_path, change, words, fresh):
    file, done, _, _ = run
    with pytest.raises(TriptychError, match=re.escape(words)):
        train_books([file], TINY.model_copy(update=change), tmp_path / "x1", fresh=fresh)
    assert not (tmp_path / "x1").exists()
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*")}
    with pytest.raises(TriptychError, match=re.escape(words)):
        train_books([file], TINY.model_copy(update=change), done, fresh=fresh)
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*")} == before


def test_heatmaps_train_as_well(tmp_path):
    recipe = TINY.model_copy(
        update={
            "encoding": {"name": "depth_heatmap", "levels": 3, "height": 16, "width": 20, "reach": 5.0},
            "model": {"name": "efficientnet_b0", "width": 0.1, "depth": 0.2},
            "training": TINY.training.model_copy(update={"epochs": 1}),
        }
    )
    result = train_books([leaning_file(tmp_path, n=700)], recipe, tmp_path / "run")
    assert load_artifact(tmp_path / "run" / "artifact").card.encoding["name"] == "depth_heatmap"
    assert 0.0 <= result["scores"]["metrics"][NETWORK]["accuracy"]["value"] <= 1.0


def test_files_of_fi_2010_follow_one_another_and_bring_their_own_labels(tmp_path):
    files = [fi2010_file(tmp_path / f"fi_{seed}.txt", 300, seed) for seed in (0, 1)]
    recipe = TINY.model_copy(
        update={
            "data": TINY.data.model_copy(update={"levels": 10}),
            "encoding": {"name": "book_levels", "levels": 10, "scale": "given"},
            "model": {"name": "deeplob", "levels": 10, "width": 0.125},
            "training": TINY.training.model_copy(update={"epochs": 1}),
        }
    )
    histories = open_histories(files, recipe)
    assert histories[1].time_ms[0] == 300
    result = train_books(files, recipe, tmp_path / "run")
    assert result["splits"][0]["boundaries"] == ["0", "300", "390", "600"]
    assert abs(result["scores"]["metrics"][QUEUE]["mcc"]["value"]) < 0.3  # labels are dice here


def test_fi_2010_and_books_with_prices_do_not_go_together(tmp_path):
    files = [fi2010_file(tmp_path / "fi.txt"), leaning_file(tmp_path, n=50)]
    with pytest.raises(DataError) as caught:
        open_histories(files, TINY)
    assert str(caught.value) == (
        "Files of FI-2010 have no times and no prices, and do not go together with other books. Train on one kind at a "
        "time."
    )


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        (0.01, 0.2, "The network foretells more than queue imbalance: MCC 0.300 against 0.200, difference +0.100 "),
        (
            -0.2,
            -0.01,
            "The network loses to queue imbalance, so it has learned nothing of use: MCC 0.300 against 0.200, ",
        ),
        (-0.1, 0.3, "No evidence that the network foretells more than queue imbalance: MCC 0.300 against 0.200, "),
    ],
)
def test_the_verdict_follows_the_interval_of_the_difference(low, high, sentence):
    def mcc(value):
        return {"mcc": Interval(value=value, low=value, high=value)}

    scores = BookScores(
        samples=9, independent=3.0, counts=(3, 3, 3), metrics={NETWORK: mcc(0.3), QUEUE: mcc(0.2)},
        lift={QUEUE: {"mcc": Interval(value=0.1, low=low, high=high)}}, only={NETWORK: "", QUEUE: ""},
    )  # fmt: skip
    assert verdict_of(scores).startswith(sentence)
    assert verdict_of(replace(scores, only={NETWORK: "hold", QUEUE: ""})).endswith(
        "]. It said hold only, which is no skill whatever comes."
    )


def test_mcc_is_taken_within_folds_and_instruments(tmp_path, monkeypatch):
    """A network that says one class of each instrument in each fold, however often that is right."""
    files = [
        write_tape(tmp_path / f"{name}.parquet", replace(leaning_tape(900, seed=seed), symbol=name))
        for seed, name in ((1, "AAA"), (2, "BBB"))
    ]
    recipe = TINY.model_copy(
        update={
            "split": TINY.split.model_copy(update={"folds": 2}),
            "training": TINY.training.model_copy(update={"epochs": 1}),
        }
    )
    asked = iter((0, 2))

    def constant(_classifier, windows):
        said, half = np.zeros((len(windows), 3), dtype=np.float32), len(windows) // 2
        one = next(asked)
        said[:half, one], said[half:, 1] = 1.0, 1.0
        return said

    monkeypatch.setattr("triptych.bootstrap.books.training.probabilities", constant)
    result = train_books(files, recipe, tmp_path / "run")
    assert {one["symbol"] for one in result["data"]} == {"AAA", "BBB"}
    assert result["scores"]["metrics"][NETWORK]["mcc"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert result["scores"]["only_class"][NETWORK] == "sell or hold or buy"
    assert result["scores"]["only_class"][QUEUE] is None
    assert "It said sell or hold or buy only" in result["verdict"]


def test_a_longer_step_thins_a_sampled_recording_and_all_that_is_written_says_so(tmp_path):
    file = leaning_file(tmp_path, n=1_500)
    recipe = TINY.model_copy(
        update={
            "data": TINY.data.model_copy(update={"every_ms": 200}),
            "training": TINY.training.model_copy(update={"epochs": 1}),
        }
    )
    said: list[str] = []
    result = train_books([file], recipe, tmp_path / "run", tell=said.append)
    symbol = result["data"][0]["symbol"]
    assert read_result(tmp_path / "run")["data"] == [{"symbol": symbol, "rows": 750, "every_ms": 200}]
    assert said[0] == f"{symbol}: 750 books, 200 ms apart."
    card = load_artifact(tmp_path / "run" / "artifact").card
    assert card.target["every_ms"] == 200 == result["recipe"]["data"]["every_ms"]
    (history,) = open_histories([file], recipe)
    assert np.unique(np.diff(history.time_ms)).tolist() == [200]
    finer = recipe.model_copy(update={"data": recipe.data.model_copy(update={"every_ms": 30})})
    with pytest.raises(DataError, match=r"the books are 100 ms apart already and cannot be taken every 30 ms\."):
        open_histories([file], finer)
