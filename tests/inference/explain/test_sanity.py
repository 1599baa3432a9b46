"""The checks tell a network that has learned from one that has not, and heat that explains from heat that does not."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.fakes.windows import history

from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.inference.explain import cascade, deletion, explain, sanity
from triptych.models import create_model
from triptych.models.boosted import BoostedNetwork, TreeEnsemble
from triptych.models.boosted.trees import Tree
from triptych.models.siamese import SiameseNetwork

LENGTH = 32


@pytest.fixture(scope="module")
def learned() -> tuple[WindowClassifier, np.ndarray]:
    """A small network that has learned whether the last eight candles rose, and a window of which it is sure."""
    encoding = create_encoding("candlestick", LENGTH, height=32, width=64)
    candles = history(encoding.columns, 1_400).values
    ends = np.arange(LENGTH - 1, 1_400)
    windows = torch.from_numpy(candles[ends[:, None] + np.arange(1 - LENGTH, 1)].astype(np.float32))
    rose = windows[:, -1, 3] > windows[:, -8, 0]
    labels = torch.where(rose, 2, 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = create_model("lenet5_relu", in_chans=3, num_classes=3, seed=0)
        classifier = WindowClassifier(encoding, network)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for _ in range(6):
            for part in torch.randperm(len(windows)).split(64):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(classifier(windows[part]), labels[part]).backward()
                optimizer.step()
    classifier.eval()
    with torch.no_grad():
        probabilities = torch.softmax(classifier(windows), dim=1)
    assert float((probabilities.argmax(1) == labels).float().mean()) > 0.9
    surest = int(probabilities[:, 2].argmax())
    return classifier, windows[surest].numpy()


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "integrated_gradients", "occlusion"])
def test_heat_ceases_to_resemble_itself_when_weights_are_shuffled(learned, method):
    seeds = (cascade(*learned, method=method, seed=seed) for seed in range(8))
    stages = next(one for one in seeds if one[-1].correlation is not None)  # a shuffled network may have no heat at all
    assert [stage.shuffled for stage in stages] == sorted(stage.shuffled for stage in stages)
    assert stages[-1].shuffled == 1.0
    assert stages[-1].correlation < 0.7


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_what_matters_goes_first_and_takes_certainty_with_it(learned, method):
    classifier, window = learned
    found = explain(classifier, window, method=method, target="buy")
    ours = deletion(classifier, window, found)
    assert ours.curve[0] == pytest.approx(found.probabilities[2], abs=1e-5)
    assert ours.area < ours.random_area
    assert ours.beaten >= 0.9
    reversed_ = deletion(classifier, window, replace(found, attribution=-found.attribution))
    assert reversed_.area > ours.random_area


def test_the_heat_of_a_learned_network_lies_on_the_candles_it_learned_from(learned):
    found = explain(*learned, method="integrated_gradients", target="buy")
    share = np.abs(found.by_candle[-10:]).sum() / np.abs(found.by_candle).sum()
    assert share > 2 * 10 / LENGTH


def states_of(classifier, window, monkeypatch, method):
    """What was learned, tensor by tensor, before the first stage and after each."""
    seen, honest = [], sanity.explain

    def noted(asked, *arguments, **options):
        seen.append([one.detach().clone() for one in sanity._weights(asked.network)])
        return honest(asked, *arguments, **options)

    monkeypatch.setattr(sanity, "explain", noted)
    stages = cascade(classifier, window, method=method)
    return seen, stages


def test_the_cascade_goes_from_the_last_layer_to_the_first_and_takes_nothing_back(learned, monkeypatch):
    (original, *after), stages = states_of(*learned, monkeypatch, "occlusion")
    assert len(after) == len(stages) == 5
    for stage, state in zip(stages, after, strict=True):
        whole = len(original) - round(stage.shuffled * len(original))
        for i, (first, now) in enumerate(zip(original, state, strict=True)):
            if i < whole:
                assert torch.equal(now, first)
                continue
            assert not torch.equal(now, first)
            assert torch.equal(now.flatten().sort().values, first.flatten().sort().values)
    for earlier, later in pairwise(after):  # what was shuffled stays as it was shuffled
        for first, before, now in zip(original, earlier, later, strict=True):
            assert torch.equal(before, now) or torch.equal(before, first)
    network = learned[0].network
    first = {id(one) for one in network.get_classifier().parameters()}
    assert first == {id(one) for one in sanity._weights(network)[-len(first) :]}


def test_what_stands_behind_a_frozen_network_is_shuffled_first(monkeypatch):
    tree = Tree(
        feature=[0, 0, 0], threshold=[0.0, 0.0, 0.0], left=[1, 1, 2], right=[2, 1, 2], value=[0.0, -1.0, 2.0],
        class_index=2,
    )  # fmt: skip
    other = Tree(feature=[0], threshold=[0.0], left=[0], right=[0], value=[0.5], class_index=0)
    body = create_model("lenet5_relu", in_chans=3, num_classes=3, seed=0)
    trees = TreeEnsemble.of([tree, other], [0.0, 0.0, 0.0])
    network = BoostedNetwork(body, torch.zeros(84), torch.randn(84, 2), trees)
    found = sanity._weights(network)
    assert found[-1] is trees.get_buffer("value")
    assert found[-2] is network.get_buffer("components")
    assert {id(one) for one in body.get_classifier().parameters()}.isdisjoint(id(one) for one in found)
    value = trees.get_buffer("value").clone()
    sanity._shuffle(found[-1], torch.Generator().manual_seed(3))
    now = trees.get_buffer("value")
    assert torch.equal(now != 0, value != 0)  # what is no leaf stays none
    assert now[now != 0].sort().values.tolist() == [-1.0, 0.5, 2.0]
    assert not torch.equal(now, value)


def test_the_library_of_a_siamese_network_is_shuffled_first():
    body = create_model("lenet5_relu", in_chans=3, num_classes=4, seed=0)
    network = SiameseNetwork(body, dimension=4, entries=1)
    network.remember(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]), 0.1)
    assert sanity._weights(network)[-1] is network.get_buffer("library")


def test_a_map_without_heat_forgets_nothing(learned):
    classifier, window = learned
    silent = copy.deepcopy(classifier)
    with torch.no_grad():
        for convolution in (silent.network.conv1, silent.network.conv2):
            convolution.weight.zero_()
            convolution.bias.fill_(-1.0)  # its maps are 0 everywhere behind their ReLU
    assert explain(silent, window, method="grad_cam").is_flat
    assert not explain(classifier, window, method="integrated_gradients").is_flat
    assert [stage.correlation for stage in cascade(silent, window, method="grad_cam")] == [None] * 5
