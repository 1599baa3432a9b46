"""A network of several questions goes the whole way, and each answer is held against its own rule."""

import numpy as np
import polars as pl
import pytest
import torch
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.explaining import explain_decision
from triptych.domain.errors import RecipeError
from triptych.inference import load_artifact

TASKS = 'training.tasks.names=["size", "volatility"]'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("tasks")
    return bootstrap.train(micro_recipe(home, TASKS, "training.epochs=2"), folder=home / "run", progress_bar=False)


def test_every_figure_is_judged_against_its_own_rules(run):
    tasks = bootstrap.evaluate(run)["tasks"]
    assert set(tasks["size"]["skill"]) == {"zero", "mean", "persistence"}
    assert set(tasks["volatility"]["skill"]) == {"ewma", "har", "har_x"}
    for judged in tasks.values():
        assert judged["verdict"] in ("better", "no better", "worse")
        skill = judged["skill"][judged["best_baseline"]]
        assert skill["low"] <= skill["value"] <= skill["high"] <= 1.0


def test_backends_foretell_alike_and_as_was_recorded(run):
    artifact = load_artifact(run.artifact)
    assert artifact.card.tasks == ("size", "volatility")
    dataset = Dataset.of(run.recipe, bootstrap.load_candles(run.recipe))
    windows = dataset.windows(dataset.folds[0].test).gather(torch.arange(20)).windows.numpy()
    ours, theirs = (artifact.predictor(backend).foretold(windows) for backend in ("torch", "onnx"))
    for task in artifact.card.tasks:
        assert np.allclose(ours[task], theirs[task], rtol=1e-3, atol=1e-6)
    assert (ours["volatility"] > 0).all()
    assert np.allclose(artifact.predictor("onnx").returns(windows), ours["size"], rtol=1e-3, atol=1e-6)
    recorded = pl.read_parquet(run.folder / "predictions.parquet")["foretold_volatility"].to_numpy()
    assert np.allclose(recorded[:20], theirs["volatility"], rtol=1e-4)


def test_what_was_trained_can_be_traded_and_explained(run):
    assert "verdict" in bootstrap.backtest(run)
    assert explain_decision(run, method="grad_cam").explanation.facts["layer"].startswith("blocks")


def test_two_second_stages_are_refused(tmp_path):
    with pytest.raises(RecipeError) as caught:
        micro_recipe(tmp_path, TASKS, "boosting.engine=auto")
    assert "training.tasks and boosting do not go together: trees answer the direction only" in str(caught.value)


def test_the_kept_epoch_may_go_by_all_questions(run, tmp_path):
    recipe = micro_recipe(tmp_path, TASKS, "training.epochs=2", "training.tasks.stop_by=all")
    other = bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    by_direction, by_all = (pl.read_csv(one.fold(0) / "training" / "history.csv") for one in (run, other))
    assert by_all["train_loss"].to_list() == by_direction["train_loss"].to_list()
    more = by_all["validation_loss"] - by_direction["validation_loss"]
    assert more.min() > 0.5  # two figures, each with a variance of about 1
    assert more.max() < 8.0


def test_a_decision_may_be_made_by_what_is_foretold(run):
    plain = bootstrap.backtest(run)
    sized = bootstrap.backtest(run, overrides=["sizing.method=volatility", "sizing.volatility=foretold"])
    assert sized["performance"]["strategy"] != plain["performance"]["strategy"]
    decisions = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert decisions["reason"].str.contains("sized by the foretold volatility").any()
    dear = bootstrap.backtest(run, overrides=["strategy.expected_move=size", "strategy.cost_multiple=1000"])
    assert dear["performance"]["trades"]["count"] == 0
    decisions = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert decisions["reason"].str.contains("is not worth its costs: expected move").any()


@pytest.mark.parametrize("change", ["sizing.volatility=foretold", "strategy.expected_move=volatility"])
def test_what_no_head_foretells_cannot_be_traded_by(change, tmp_path):
    with pytest.raises(RecipeError) as caught:
        micro_recipe(tmp_path, "sizing.method=volatility", 'training.tasks.names=["size"]', change)
    assert "asks for the foretold volatility" in str(caught.value)
    assert "name it in training.tasks.names (was ['size'])" in str(caught.value)
