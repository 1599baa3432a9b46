"""A network with trees goes the whole way: trained fold by fold, saved, exported, asked alike by backtest and live."""

import importlib.util

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

CHANGES = ("boosting.engine=histogram", "boosting.components=4", "boosting.rounds=12", "boosting.leaf_samples=10",
           "training.epochs=1")  # fmt: skip


@pytest.fixture(scope="module")
def boosted(tmp_path_factory):
    home = tmp_path_factory.mktemp("boosted")
    return bootstrap.train(micro_recipe(home, *CHANGES), folder=home / "run", progress_bar=False)


def test_the_artifact_answers_alike_through_both_backends(boosted):
    artifact = load_artifact(boosted.artifact)
    assert artifact.card.boosting["engine"] == "histogram"
    assert artifact.card.boosting["components"] == 4
    dataset = Dataset.of(boosted.recipe, bootstrap.load_candles(boosted.recipe))
    windows = dataset.windows(dataset.folds[0].test).gather(torch.arange(100)).windows.numpy()
    ours, theirs = (artifact.predictor(backend).probabilities(windows) for backend in ("torch", "onnx"))
    assert np.allclose(ours.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(np.abs(ours - theirs).max(axis=1) < 1e-4) > 0.97  # a value on a threshold may fall to either side


def test_a_library_that_is_missing_is_said_before_a_network_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"boosting\.engine = 'xgboost', and it is not installed"):
        bootstrap.train(micro_recipe(tmp_path, "boosting.engine=xgboost"), folder=tmp_path / "runs" / "run")
    assert not (tmp_path / "runs").exists()


def test_trees_change_what_the_network_says_and_leave_the_network_as_it_was(boosted, tmp_path):
    alone = bootstrap.train(micro_recipe(tmp_path, *CHANGES[1:]), folder=tmp_path / "alone", progress_bar=False)
    first, second = (pl.read_parquet(run.folder / "predictions.parquet") for run in (boosted, alone))
    assert not np.allclose(first["probability_buy"], second["probability_buy"])
    with_trees, without = (load_artifact(run.artifact).classifier().network for run in (boosted, alone))
    for name, value in without.state_dict().items():
        assert torch.equal(with_trees.backbone.state_dict()[name], value), name


def test_what_was_trained_can_be_traded_and_explained(boosted):
    assert "verdict" in bootstrap.backtest(boosted)
    decision = explain_decision(boosted)
    assert decision.explanation.method == "occlusion"
    with pytest.raises(RecipeError) as caught:
        explain_decision(boosted, method="integrated_gradients")
    assert str(caught.value) == (
        "The model's answer is one of trees, which has no gradient that integrated_gradients could follow. Choose "
        "occlusion, which asks the model itself."
    )
