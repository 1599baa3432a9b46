import onnx
import pytest
import torch
from tests.fakes.classifier import small_classifier
from torch import nn

from triptych.domain.errors import ArtifactError
from triptych.images import create_encoding
from triptych.inference import latency
from triptych.inference.classifier import WindowClassifier
from triptych.inference.export import export_onnx
from triptych.inference.latency import measure, memory_mb, prediction_call, step_call
from triptych.models import create_model

LENGTH = 16


def test_a_call_is_timed_in_rounds_of_at_least_twenty():
    called = []
    found = measure(lambda: called.append(1), round_s=0.0, rounds=2)
    assert found.calls == 40
    assert len(called) == 43  # three before
    assert 0 < found.p50_ms <= found.p99_ms


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_an_untrained_classifier_can_be_timed_as_it_would_be_served(runtime):
    classifier = small_classifier(LENGTH)
    before = torch.get_num_threads()
    call = prediction_call(classifier, length=LENGTH, width=5, runtime=runtime)
    answer = call()
    probabilities = torch.as_tensor(answer[0] if runtime == "onnx" else answer)
    assert probabilities.shape == (1, 3)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-6)
    assert torch.get_num_threads() == before


class Flat(nn.Module):
    def forward(self, window_BTF):
        return window_BTF.clone()


class Wide(nn.Module):
    """Makes two tensors of 4 KB that live at once, then one of 4 KB alone."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(250))

    def forward(self, image):
        first = torch.ones(1000)
        second = torch.ones(1000)
        del first, second
        third = torch.ones(1000)
        return third[:3][None] + 0.0


def test_memory_is_the_weights_and_the_most_that_lives_at_once():
    found = memory_mb(WindowClassifier(Flat(), Wide()), length=4, width=5)
    # 1,000 bytes of weights; 8,000 at once, and beside them the image of 80 bytes as it is centred
    assert found * 1e6 == pytest.approx(9_000, abs=400)
    assert memory_mb(small_classifier(LENGTH), length=LENGTH, width=5) == memory_mb(
        small_classifier(LENGTH, seed=1), length=LENGTH, width=5
    )


def sequence_classifier(**wishes):
    network = create_model(
        "xlstm_small", in_chans=3, num_classes=3, seed=0, sequence={"width": 8, "blocks": 2, "heads": 2, **wishes}
    )
    return WindowClassifier(create_encoding("sequence", LENGTH, factors=3), network).eval()


def test_the_timed_graph_of_a_network_of_sequences_is_the_one_that_is_served(tmp_path, monkeypatch):
    classifier = sequence_classifier(ratio=(1, 1))
    export_onnx(classifier, LENGTH, tmp_path / "model.onnx", width=3)
    graphs = []
    session = latency.ort.InferenceSession
    monkeypatch.setattr(
        latency.ort, "InferenceSession", lambda graph, *a, **k: (graphs.append(graph), session(graph, *a, **k))[1]
    )
    prediction_call(classifier, length=LENGTH, width=3)
    timed, served = onnx.load_from_string(graphs[0]), onnx.load(tmp_path / "model.onnx")
    assert [node.op_type for node in timed.graph.node] == [node.op_type for node in served.graph.node]
    assert "Scan" in {node.op_type for node in timed.graph.node}


@pytest.mark.parametrize(("runtime", "wishes"), [("onnx", {}), ("onnx", {"selection": True}), ("torch", {})])
def test_a_step_can_be_timed_as_it_would_be_served(runtime, wishes):
    probabilities, state = step_call(sequence_classifier(**wishes), runtime=runtime)()
    assert probabilities.shape == (1, 3)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-6)
    assert len(state[0]) == 1


def test_a_network_without_a_step_cannot_be_timed_by_one():
    with pytest.raises(ArtifactError, match="cannot answer candle by candle"):
        step_call(sequence_classifier(pool="mean"), runtime="torch")
