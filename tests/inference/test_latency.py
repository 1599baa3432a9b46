import pytest
import torch
from tests.fakes.classifier import small_classifier
from torch import nn

from triptych.inference.classifier import WindowClassifier
from triptych.inference.latency import measure, memory_mb, prediction_call

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
