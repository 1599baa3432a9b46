import json

import numpy as np
import pytest
from tests.fakes.pattern_networks import LABELS, LEARNT, candle_network, saved_candle_network, windows_of

from triptych.domain.errors import ArtifactError
from triptych.inference import pattern_saving
from triptych.inference.candle_patterns import CandlePatternNetwork
from triptych.inference.pattern_card import hash_of, read_pattern_card


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved_candle_network(tmp_path_factory.mktemp("home") / "net", metrics={"macro_f1": 0.5})


def test_the_card_says_what_it_is_what_taught_it_and_how_near_the_graph_is(folder):
    card = read_pattern_card(folder)
    assert (card.kind, card.length, card.labels, card.learnt) == ("candle_patterns", 16, LABELS, LEARNT)
    assert card.taught_until_ms == 949_363_200_000
    assert card.metrics == {"macro_f1": 0.5}
    assert sorted(card.files) == ["model.onnx", "weights.safetensors"]
    assert 0 < card.onnx_difference < 1e-5


def test_a_graph_that_says_something_else_is_not_written(tmp_path, monkeypatch):
    other = candle_network(seed=2).network
    honest = pattern_saving._export
    monkeypatch.setattr(pattern_saving, "_export", lambda network, length, path: honest(other, length, path))
    with pytest.raises(ArtifactError, match=r"the exported graph differs from the network by 0\.\d+, more than 1e-04"):
        candle_network().save(tmp_path / "net", windows_of(16), taught=None)
    assert list(tmp_path.iterdir()) == []


def test_another_network_takes_the_place_of_an_older_one_and_is_not_changed_by_it(tmp_path):
    folder = saved_candle_network(tmp_path / "net")
    before, network, windows = hash_of(folder), candle_network(seed=4), windows_of(16)
    said = network.answers(windows)
    network.save(folder, windows, taught=None)
    assert hash_of(folder) != before
    assert sorted(one.name for one in folder.iterdir()) == ["card.json", "model.onnx", "weights.safetensors"]
    np.testing.assert_array_equal(network.answers(windows), said)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    saved_candle_network(tmp_path / "net")
    path = tmp_path / "net" / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"network": {"width": 32, "depth": 1}}))
    with pytest.raises(ArtifactError, match=r"weights\.safetensors does not fit its card: "):
        CandlePatternNetwork.load(tmp_path / "net")
