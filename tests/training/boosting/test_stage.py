"""The second stage reads what the network can tell apart, and its graph says what it says."""

import copy

import numpy as np
import pytest
import torch
from tests.fakes.killed_training import LENGTH, window_sets
from torch import nn

from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.images import create_encoding
from triptych.inference import export
from triptych.inference.classifier import WindowClassifier
from triptych.inference.export import export_onnx, largest_difference
from triptych.training.boosting import Config
from triptych.training.boosting.stage import boost, features_over, sample_weights
from triptych.training.config import Config as TrainingConfig

TREES = Config(engine="histogram", components=8, rounds=30, leaf_samples=10)


@pytest.fixture(scope="module")
def sets():
    return window_sets()


class Monotonous(nn.Module):
    """A network whose 24 features lie near 1 for all windows, and differ by some `spread`."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.mix = nn.Linear(LENGTH * LENGTH, 24)
        self.fc = nn.Linear(24, 3)
        self.spread = spread

    def forward_features(self, x):
        return 1.0 + self.spread * torch.tanh(3.0 * self.mix(x.flatten(1)))

    def forward_head(self, x, pre_logits=False):
        return x if pre_logits else self.fc(x)


def monotonous(spread: float) -> WindowClassifier:
    return WindowClassifier(create_encoding("gasf", LENGTH), Monotonous(spread)).eval()


def test_a_network_that_hardly_tells_windows_apart_is_exported_all_the_same(sets, tmp_path):
    classifier = monotonous(1e-4)
    features = features_over(classifier, sets[0])
    assert features.std(axis=0).max() < 1e-4 * np.linalg.norm(features, axis=1).mean()
    made = boost(classifier, *sets, TREES, TrainingConfig(), seed=0)
    export_onnx(made.classifier, LENGTH, tmp_path / "model.onnx")
    windows = sets[1].gather(torch.arange(64)).windows.numpy()
    assert largest_difference(made.classifier, tmp_path / "model.onnx", windows) < 1e-6


@pytest.mark.parametrize("components", [8, 0])
def test_a_network_that_says_the_same_of_every_window_has_nothing_for_trees(sets, components):
    with pytest.raises(NotEnoughData) as caught:
        boost(monotonous(1e-7), *sets, Config(engine="histogram", components=components), TrainingConfig(), seed=0)
    assert str(caught.value) == (
        "The network says the same of every window to within rounding: there is nothing that trees could read. Train "
        "it for more epochs or on more windows, or set boosting.engine to none."
    )


@pytest.fixture(scope="module")
def exported(sets, tmp_path_factory):
    made = boost(monotonous(1.0), *sets, TREES, TrainingConfig(), seed=0)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(made.classifier, LENGTH, path)
    return made.classifier, path, sets[1].gather(torch.arange(64)).windows.numpy()


def with_other_features(classifier: WindowClassifier) -> WindowClassifier:
    """A copy whose trees read something some tenths of a standard deviation away."""
    copied = copy.deepcopy(classifier)
    network = copied.network
    network.get_buffer("mean").add_(0.2 / network.get_buffer("components").abs().max())
    return copied


def test_a_graph_with_other_features_is_refused(exported):
    classifier, path, windows = exported
    with pytest.raises(ArtifactError) as caught:
        largest_difference(with_other_features(classifier), path, windows)
    assert "the exported graph reads features" in str(caught.value)
    assert str(caught.value).endswith(
        " standard deviations from the network's. No artifact was written. Train with another `seed`, and report this "
        "with the recipe."
    )


def test_a_graph_with_other_trees_is_refused(exported):
    classifier, path, windows = exported
    other = copy.deepcopy(classifier)
    trees = other.network.trees
    trees.get_buffer("value").add_(torch.linspace(0.0, 0.1, trees.shape.trees)[:, None])
    with pytest.raises(ArtifactError, match="the exported graph has trees that differ from the network's by"):
        largest_difference(other, path, windows)


def test_a_graph_that_answers_many_windows_otherwise_is_refused(exported, monkeypatch):
    classifier, path, windows = exported
    monkeypatch.setattr(export, "INPUT_TOLERANCE", 10.0)
    with pytest.raises(ArtifactError, match=r"says of \d+% of the windows something else than the network"):
        largest_difference(with_other_features(classifier), path, windows)


def test_windows_count_in_trees_as_in_the_losses_of_the_network(sets):
    train, validation = sets
    plain = sample_weights(train, validation, TrainingConfig(class_weights="none"))
    assert [set(one.tolist()) for one in plain] == [{1.0}, {1.0}]
    balanced, held = sample_weights(train, validation, TrainingConfig(class_weights="balanced"))
    labels = train.labels.numpy()
    assert [balanced[labels == k].sum() for k in range(3)] == pytest.approx([len(labels) / 3] * 3, rel=1e-5)
    assert set(held.tolist()) <= set(balanced.tolist())
    unique, held = sample_weights(train, validation, TrainingConfig(class_weights="none", uniqueness_weights=True))
    assert unique.mean() == pytest.approx(1.0)
    assert np.corrcoef(unique, train.uniqueness.numpy())[0, 1] == pytest.approx(1.0)
    assert set(held.tolist()) == {1.0}
