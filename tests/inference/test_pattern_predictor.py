import shutil

import numpy as np
import pytest
from tests.fakes.pattern_networks import (
    candle_network,
    chart_network,
    saved_candle_network,
    saved_chart_network,
)
from tests.features.markets import random_walk

from triptych.domain.errors import ArtifactError
from triptych.inference import pattern_predictor
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.predictor import OnnxPredictor

VALUES, _ = random_walk(120, seed=12)


@pytest.fixture(scope="module", params=("candles", "charts"))
def saved(request, tmp_path_factory):
    """A network as it was before it was saved, and its folder."""
    folder = tmp_path_factory.mktemp("home") / "net"
    if request.param == "candles":
        return candle_network(), saved_candle_network(folder)
    return chart_network(), saved_chart_network(folder)


def test_it_says_what_the_network_says(saved):
    network, folder = saved
    predictor = open_patterns(folder)
    assert (predictor.labels, predictor.numbers) == (network.labels, network.numbers)
    expected, found = network.over(VALUES), predictor.over(VALUES)
    assert expected[..., 0].std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_an_answer_is_the_same_to_the_last_bit_whatever_else_is_asked(saved):
    _, folder = saved
    whole = open_patterns(folder).over(VALUES)
    for ends in (np.array([119]), np.array([60, 119, 80])):
        pattern_predictor._open.clear()
        np.testing.assert_array_equal(open_patterns(folder).over(VALUES, ends), whole[ends - 119 - 1])


def test_a_window_is_asked_about_once(saved, monkeypatch):
    _, folder = saved
    asked, calls = OnnxPredictor.outputs, []

    def counted(self, windows, names):
        calls.append(len(windows))
        return asked(self, windows, names)

    monkeypatch.setattr(OnnxPredictor, "outputs", counted)
    pattern_predictor._open.clear()
    predictor = open_patterns(folder)
    predictor.over(VALUES[:100])
    assert calls == [1] * (101 - predictor.length)
    predictor.over(VALUES[:102])
    assert calls == [1] * (103 - predictor.length)


def test_a_copy_shares_what_is_remembered_and_another_network_does_not(saved, tmp_path):
    _, folder = saved
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert open_patterns(copy) is open_patterns(folder)
    assert open_patterns(saved_candle_network(tmp_path / "other", symbols=("X",))) is not open_patterns(folder)


def test_a_damaged_network_is_refused_though_it_is_open(saved, tmp_path):
    _, folder = saved
    copy = shutil.copytree(folder, tmp_path / "copy")
    open_patterns(copy)
    (copy / "model.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError) as refused:
        open_patterns(copy)
    assert refused.value.message == f"{copy / 'model.onnx'} is damaged: it is not the file its card was written for."
