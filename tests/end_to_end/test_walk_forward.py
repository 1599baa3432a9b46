"""Two instruments, two folds: a model before each, predictions without a hole, one judged result."""

import json

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.inference import load_artifact

N = 700
START_MS = 1_704_067_200_000
QUARTER_MS = 900_000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("walk")
    recipe = micro_recipe(
        home, "split.kind=walk_forward", "split.folds=2", "split.train=0.5", "split.validation=0.2", "split.test=0.3",
        "training.epochs=1", "training.batch_size=64", "data.synthetic.instruments=2",
        f"data.synthetic.n_candles={N}",
    )  # fmt: skip
    run = bootstrap.train(recipe, folder=home / "run", progress_bar=False)
    bootstrap.report(run)
    return run


def closes(first: int, last: int) -> list[int]:
    """Close times of the candles first .. last."""
    return [START_MS + QUARTER_MS * (i + 1) for i in range(first, last + 1)]


def test_every_fold_trains_on_the_past_of_its_test(run):
    # 700 candles: test 490 .. 594 and 595 .. 699; validation is the last 2 / 7 of what lies before.
    cuts = [
        [split[name]["start"] for name in ("train", "validation", "test")] + [split["test"]["stop"]]
        for split in run.record["splits"]
    ]
    opens = [
        pl.Series([START_MS + QUARTER_MS * i]).cast(pl.Datetime("ms")).dt.to_string("%F %T")[0] for i in range(N + 1)
    ]
    assert cuts == [
        [opens[0], opens[350], opens[490], opens[595]],
        [opens[0], opens[425], opens[595], opens[700]],
    ]


def test_predictions_have_no_hole_and_each_comes_from_the_newest_model_of_its_time(run):
    frame = pl.read_parquet(run.folder / "predictions.parquet")
    assert frame.select("symbol", "time").is_duplicated().sum() == 0
    for symbol in ("ALFA-USDT", "BRAVO-USDT"):
        one = frame.filter(symbol=symbol)
        # The first fold begins with its first judged candle, whose window lies in the test; the second at once.
        assert one["time"].dt.epoch("ms").to_list() == closes(505, 699)
        assert one["fold"].to_list() == [0] * (594 - 505 + 1) + [1] * 105
    series = bootstrap.load_candles(run.recipe).series[1]
    for fold, ends in ((0, [505, 594]), (1, [595, 699])):
        model = load_artifact(run.fold(fold) / "artifact").predictor("torch")
        recorded = frame.filter(symbol="BRAVO-USDT", fold=fold).select("^probability_.*$").to_numpy()
        asked = model.probabilities(series.windows(np.array(ends), 16))
        np.testing.assert_allclose(recorded[[0, -1]], asked, atol=1e-4)


def test_the_models_of_the_folds_differ_and_the_newest_is_the_runs(run):
    weights = [(run.fold(i) / "artifact" / "weights.safetensors").read_bytes() for i in range(2)]
    assert weights[0] != weights[1]
    assert run.artifact == run.fold(1) / "artifact"
    assert [load_artifact(run.fold(i) / "artifact").card.name for i in range(2)] == ["micro-0", "micro-1"]


def test_the_evaluation_joins_the_tests_of_both_folds(run):
    evaluation = bootstrap.evaluate(run)
    # Judged are candles whose window and label lie inside the test of their fold: 105 - 15 - 4, twice, two instruments.
    assert evaluation["n"] == 2 * 2 * 86
    assert sum(evaluation["class_counts"]["test"]) == 2 * 2 * 86


def test_the_backtest_trades_both_instruments_over_the_whole_time(run):
    equity = pl.read_parquet(run.folder / "backtest" / "equity.parquet")
    decisions = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert equity["time"].dt.epoch("ms").to_list() == closes(505, 699)
    assert decisions.group_by("symbol").len().sort("symbol").rows() == [("ALFA-USDT", 194), ("BRAVO-USDT", 194)]
    assert decisions["probability_buy"].null_count() == 0
    assert equity["exposure"].abs().max() <= 1.05


def test_the_report_shows_every_fold(run):
    twin = json.loads((run.folder / "report.json").read_text())
    assert [row["fold"] for row in twin["training_curves"]] == [1, 2]
    assert [boundary["label"] for boundary in twin["boundaries"]] == ["test 2"]
    assert set(twin["candles"]) == {"ALFA-USDT", "BRAVO-USDT"}
    assert len(twin["leak_probe"]["results"]) == 10
    assert [split["fold"] for split in twin["provenance"]["splits"]] == [0, 1]
