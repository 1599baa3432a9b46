"""A network of timm goes the whole way; a stand-in for timm is installed here, see `tests/fakes/a_timm`."""

import importlib
import sys

import numpy as np
import pytest
import torch
from tests.fakes.micro import call, micro_recipe
from tests.models.test_outside import FAKE

from triptych import bootstrap
from triptych.bootstrap import check_explanations
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.explaining import explain_decision
from triptych.domain.errors import RecipeError
from triptych.inference import load_artifact


@pytest.fixture
def timm(monkeypatch):
    monkeypatch.syspath_prepend(str(FAKE))
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("timm", None)


SIZE = ("model.width=1", "model.depth=1", "training.epochs=1")


def test_it_is_trained_exported_traded_and_explained(timm, tmp_path, monkeypatch):
    recipe = micro_recipe(tmp_path, "model.name=timm:resnet18", *SIZE)
    run = bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    artifact = load_artifact(run.artifact)
    assert artifact.card.model == {"name": "timm:resnet18", "width": 1.0, "depth": 1.0}
    dataset = Dataset.of(recipe, bootstrap.load_candles(recipe))
    windows = dataset.windows(dataset.folds[0].test).gather(torch.arange(20)).windows.numpy()
    ours, theirs = (artifact.predictor(backend).probabilities(windows) for backend in ("torch", "onnx"))
    assert np.allclose(ours, theirs, atol=1e-5)
    assert "verdict" in bootstrap.backtest(run)
    assert explain_decision(run).explanation.method == "integrated_gradients"
    assert [row["method"] for row in check_explanations(run, decisions=1)] == ["integrated_gradients", "occlusion"]


def test_a_recipe_is_read_where_timm_knows_the_name_and_says_how_to_install_timm(timm, tmp_path, capsys, monkeypatch):
    micro_recipe(tmp_path)
    path = tmp_path / "micro.toml"
    path.write_text(path.read_text().replace("efficientnet_b0", "timm:resnet18").replace("= 0.1\n", "= 1\n"))
    assert "timm:resnet18" in call(capsys, ("recipe", "show", path)).out
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = call(capsys, ("recipe", "show", path))
    assert said.status == 2
    assert "timm:resnet18 is a network of timm, which is not installed. Install it by" in said.error


def test_one_that_cannot_read_the_images_is_refused_before_anything_is_written(timm, tmp_path):
    recipe = micro_recipe(tmp_path, "model.name=timm:vit_tiny", *SIZE)
    with pytest.raises(RecipeError) as caught:
        bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    assert str(caught.value).startswith("timm:vit_tiny cannot read images of ")
    assert not (tmp_path / "run").exists()
