import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.candles import with_absolute_path
from triptych.bootstrap.files import write_frame
from triptych.bootstrap.run_folder import open_or_create, open_run
from triptych.bootstrap.training import train
from triptych.domain.errors import ColumnError, NotEnoughData, RecipeError, RunError
from triptych.inference import load_artifact
from triptych.market import synthetic, to_panel


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The recipe of `trained`, trained, backtested and reported once more in another folder."""
    home = tmp_path_factory.mktemp("again")
    run = train(micro_recipe(home), folder=home / "run", progress_bar=False)
    bootstrap.report(run)
    return run.folder


def told(recipe, folder, **options) -> list[str]:
    lines: list[str] = []
    train(recipe, folder=folder, tell=lines.append, progress_bar=False, **options)
    return lines


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_run_holds_what_its_docstring_says_and_nothing_else(trained):
    assert files(trained) == [
        "backtest/backtest.json", "backtest/decisions.parquet", "backtest/equity.parquet", "backtest/fills.parquet",
        "backtest/guard.parquet", "backtest/trades.parquet", "evaluation.json",
        "folds/0/artifact/card.json", "folds/0/artifact/model.onnx", "folds/0/artifact/weights.safetensors",
        "folds/0/training/fingerprint.json", "folds/0/training/fit.json", "folds/0/training/history.csv",
        "folds/0/training/weights.safetensors",
        "leak_probe.json", "predictions.parquet", "quality.json", "recipe.toml",
        "report.html", "report.json", "run.json",
    ]  # fmt: skip


def test_the_same_recipe_run_twice_gives_the_same_result_byte_for_byte(trained, again):
    same = [name for name in files(trained) if name not in ("run.json", "report.html", "report.json")]
    assert files(again) == files(trained)
    for name in same:
        assert (again / name).read_bytes() == (trained / name).read_bytes(), name
    reports = [json.loads((folder / "report.json").read_text()) for folder in (trained, again)]
    assert reports[0]["environment"] != reports[1]["environment"]
    for report in reports:
        del report["environment"]
    assert json.dumps(reports[0], sort_keys=True) == json.dumps(reports[1], sort_keys=True)


def test_the_run_records_its_provenance(trained):
    run = open_run(trained)
    record, card = run.record, load_artifact(run.artifact).card
    assert (record["status"], record["seed"], record["folds"]) == ("trained", 1, 1)
    assert record["data_hash"] == card.data_hash == bootstrap.load_candles(run.recipe).hash
    assert record["versions"] == card.versions
    (split,) = record["splits"]
    assert [split] == card.splits
    # 700 candles less the 96 that fill the volatility and the 4 whose labels would reach beyond the segment.
    assert split["train"] == {"start": "2024-01-01 00:00:00", "stop": "2024-01-08 07:00:00", "samples": 600}
    assert split["test"]["stop"] == "2024-01-11 10:00:00"
    assert (card.period, card.timeframe, card.symbols) == (
        ("2024-01-01 00:00:00", "2024-01-11 10:00:00"), "15m", ("ALFA-USDT",),
    )  # fmt: skip
    assert card.metrics == json.loads((trained / "evaluation.json").read_text())["metrics"]
    assert json.loads((trained / "quality.json").read_text())["instruments"][0]["symbol"] == "ALFA-USDT"


def test_predictions_begin_with_the_first_judged_candle_and_reach_the_end(trained):
    frame = pl.read_parquet(trained / "predictions.parquet")
    # 1,000 candles: the test segment is 850 .. 999; its first window ends at 865.
    times = frame["time"].dt.epoch("ms").to_numpy()
    start = 1_704_067_200_000
    np.testing.assert_array_equal(times, start + 900_000 * (np.arange(865, 1000) + 1))
    np.testing.assert_allclose(frame.select("^probability_.*$").sum_horizontal(), 1, atol=1e-6)


def test_predictions_are_what_the_artifact_says_of_those_windows(trained):
    run = open_run(trained)
    frame = pl.read_parquet(trained / "predictions.parquet")
    (series,) = bootstrap.load_candles(run.recipe).series
    asked = load_artifact(run.artifact).predictor("torch").probabilities(series.windows(np.arange(865, 1000), 16))
    np.testing.assert_allclose(frame.select("^probability_.*$").to_numpy(), asked, atol=1e-4)


def test_the_evaluation_judges_the_settled_test_candles(trained):
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert evaluation["n"] == 131  # 135 predicted, the labels of the last 4 are not settled
    assert np.sum(evaluation["confusion"]) == 131
    assert sum(evaluation["class_counts"]["test"]) == 131
    assert set(evaluation["baselines"]) == {"majority", "persistence", "logistic"}
    # One fold, and fewer windows than the meter takes: it holds the model against the remembering one on all of them.
    assert evaluation["leak_meter"]["test_samples"] == 131
    assert evaluation["leak_meter"]["model_mcc"] == pytest.approx(evaluation["metrics"]["mcc"]["value"])


def test_a_complete_run_is_not_trained_twice(run_folder):
    before = {name: (run_folder / name).read_bytes() for name in files(run_folder)}
    recipe = open_run(run_folder).recipe
    lines = told(recipe, run_folder)
    assert lines[-1] == (
        f"{run_folder} is complete already: same recipe, data, versions and seed. --fresh trains it again."
    )
    assert {name: (run_folder / name).read_bytes() for name in files(run_folder)} == before


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("evaluation.json", b"{", "evaluation.json is damaged: "),
        ("predictions.parquet", b"PAR1", "predictions.parquet is damaged: "),
        ("quality.json", None, "quality.json is missing. "),
    ],
)
def test_a_damaged_run_is_mended_by_the_same_command_without_training(run_folder, name, content, line):
    good = (run_folder / name).read_bytes()
    (run_folder / name).unlink()
    if content is not None:
        (run_folder / name).write_bytes(content)
    lines = told(open_run(run_folder).recipe, run_folder)
    mending = next(told for told in lines if told.endswith("Mending the run."))
    assert mending.startswith(f"{run_folder / line}")
    assert not any("Exporting" in told for told in lines)
    assert (run_folder / name).read_bytes() == good


def test_a_second_trial_of_the_same_recipe_is_not_counted_a_second_time(run_folder):
    (run_folder / "evaluation.json").unlink()
    told(open_run(run_folder).recipe, run_folder)
    assert [len(marks) for marks in json.loads((run_folder.parent / "trials.json").read_text()).values()] == [1]


def test_another_recipe_in_the_same_folder_is_refused(run_folder):
    other = micro_recipe(run_folder.parent / "recipe", "training.epochs=2")
    with pytest.raises(RunError, match=r"holds another run: recipe differ\."):
        train(other, folder=run_folder)


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["window.length=400"], NotEnoughData, "The validation segment of fold 0 "),
        (
            ["data.synthetic.n_candles=10"],
            NotEnoughData,
            "ALFA-USDT: 10 candles are left, fewer than the window of 16.",
        ),
        (["window.stride=500"], NotEnoughData, "A stride of 500 leaves 1 of the "),
        (["encoding.size=40"], RecipeError, "Gramian angular field: size 40 exceeds the window length 16."),
        (["training.accelerator=gpu"], RecipeError, 'accelerator = "gpu", but PyTorch finds no GPU.'),
        (["split.kind=walk_forward", "split.folds=100"], NotEnoughData, "The test segment of fold 0 "),
    ],
)
def test_what_cannot_be_trained_leaves_nothing_behind(tmp_path, overrides, error, message):
    import torch

    if "training.accelerator=gpu" in overrides and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    recipe = micro_recipe(tmp_path / "recipe", *overrides)
    with pytest.raises(error) as caught:
        train(recipe, folder=tmp_path / "runs" / "run")
    assert caught.value.message.startswith(message)
    assert caught.value.remedy
    left = [path for path in (tmp_path / "runs").rglob("*") if not path.name.startswith(".")]
    assert left == []


def test_unusable_data_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.csv").write_text("time,open,high,low\n1,2,3,4\n")
    with pytest.raises(ColumnError):
        train(micro_recipe(tmp_path / "recipe", source="file", path=str(tmp_path / "a.csv")), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_candles_of_a_run_are_found_from_any_working_directory(tmp_path, trained, monkeypatch):
    """Trained by a relative path, looked at from elsewhere. The finished folds are those of the trained run."""
    (tmp_path / "work").mkdir()
    market = synthetic.synthesise(open_run(trained).recipe.data.synthetic)
    to_panel(market.series).write_parquet(tmp_path / "market.parquet")
    recipe = micro_recipe(tmp_path / "recipe", source="file", path="../market.parquet")
    monkeypatch.chdir(tmp_path / "work")
    candles = bootstrap.load_candles(recipe)
    assert candles.hash == open_run(trained).record["data_hash"]
    open_or_create(with_absolute_path(recipe), candles.hash, Path("run"))
    shutil.copytree(trained / "folds", Path("run", "folds"))
    lines = told(recipe, Path("run"))
    assert not any("Exporting" in line for line in lines)
    run = open_run(Path("run"))
    assert run.recipe.data.path == str(tmp_path / "work" / "../market.parquet")
    monkeypatch.chdir("/")
    found = open_run(tmp_path / "work" / "run")
    written = bootstrap.report(found)
    twin = json.loads(written.json.read_text())
    assert twin["environment"]["data"] == run.recipe.data.path
    assert 'path = "market.parquet"' in twin["recipe"]


def test_a_prediction_that_is_missing_is_not_judged_as_if_it_were_there(run_folder):
    from triptych.bootstrap.building import Dataset
    from triptych.bootstrap.judging import judge_predictions

    run = open_run(run_folder)
    dataset = Dataset.of(run.recipe, bootstrap.load_candles(run.recipe))
    frame = pl.read_parquet(run_folder / "predictions.parquet")
    write_frame(run_folder / "predictions.parquet", frame[:-10])
    with pytest.raises(RunError) as caught:
        judge_predictions(dataset, frame[:-10])
    assert str(caught.value) == "Fold 0: 6 test samples have no prediction. Train again with --fresh."
