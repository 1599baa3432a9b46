from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.fakes.market import walk

from triptych.domain.errors import ArtifactError, DataError
from triptych.images import create_encoding
from triptych.inference import CompiledStep, FactorRows, StreamingPredictor, TorchStep, WindowClassifier
from triptych.inference.compiled_step import compiles
from triptych.inference.inputs import Config
from triptych.models import create_model

CONFIG = Config(names=("return_1", "body", "roc_5"), window=20)
LENGTH, COLUMNS = 12, 3
SHAPES = {
    "one of each": {"width": 16, "blocks": 2, "heads": 2, "ratio": (1, 1)},
    "heads narrower than a vector": {"width": 12, "blocks": 2, "heads": 3, "ratio": (0, 1)},
    "three blocks": {"width": 64, "blocks": 3, "heads": 4, "slstm_at": (1,)},
    "no convolution, capped": {"width": 10, "blocks": 2, "heads": 2, "slstm_at": (0,), "kernel": 0, "soft_cap": 15.0},
    "large": {"width": 24, "blocks": 2, "heads": 3, "kind": "large"},
}


def classifier_of(**sequence: object) -> WindowClassifier:
    network = create_model("xlstm_small", in_chans=COLUMNS, num_classes=3, seed=0, sequence=sequence)
    with torch.no_grad():  # as drawn, gates are constants and recurrences zero
        for one in network.parameters():
            noise = torch.randn(one.shape, generator=torch.Generator().manual_seed(1))
            one.add_(0.3 * noise / max(one.ndim, 1))
    return WindowClassifier(create_encoding("sequence", LENGTH, factors=COLUMNS), network).eval()


def rows_of(*shape: int) -> NDArray[np.float32]:
    return (2.5 * np.random.default_rng(0).normal(size=shape)).astype(np.float32)


@pytest.fixture(scope="module")
def compiled() -> CompiledStep:
    return CompiledStep(classifier_of(**SHAPES["one of each"]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 11])
def test_it_answers_as_the_network_does_and_remembers_the_same(shape: str, batch: int) -> None:
    classifier = classifier_of(**SHAPES[shape])
    native, compiled = TorchStep(classifier), CompiledStep(classifier)
    state, other = native.fresh(batch), compiled.fresh(batch)
    for row in rows_of(30, batch, COLUMNS):
        (answer, state), (found, other) = native(row, state), compiled(row, other)
        np.testing.assert_allclose(found, answer, rtol=0, atol=1e-5)
    for ours, theirs in zip(compiled.tensors(other), state, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert np.abs(found - 1 / 3).max() > 0.05  # the network says something


def test_gates_far_from_nought_stay_numbers(compiled: CompiledStep) -> None:
    classifier = classifier_of(**SHAPES["one of each"])
    with torch.no_grad():
        for block in classifier.network.encoder.stack.blocks:
            for name, one in block.layer.named_parameters():
                if name.endswith("bias") and "conv" not in name:
                    one.copy_(torch.linspace(-100, 100, one.numel()).reshape(one.shape))
    native, loop = TorchStep(classifier), CompiledStep(classifier)
    state, other = native.fresh(2), loop.fresh(2)
    for row in rows_of(20, 2, COLUMNS):
        (answer, state), (found, other) = native(row, state), loop(row, other)
        np.testing.assert_allclose(found, answer, rtol=0, atol=1e-5)
    assert np.isfinite(other[0]).all()


def test_a_state_stays_as_it_is_and_may_be_continued_from_twice(compiled: CompiledStep) -> None:
    first, second = rows_of(2, 4, COLUMNS)
    _, state = compiled(first, compiled.fresh(4))
    kept = state[0].copy()
    once, after_once = compiled(second, state)
    twice, after_twice = compiled(second, state)
    np.testing.assert_array_equal(state[0], kept)
    np.testing.assert_array_equal(once, twice)
    np.testing.assert_array_equal(after_once[0], after_twice[0])
    assert not np.array_equal(after_once[0], kept)


def test_rows_begin_anew_one_by_one_and_a_state_can_be_written_down(compiled: CompiledStep) -> None:
    first, second = rows_of(2, 3, COLUMNS)
    _, state = compiled(first, compiled.fresh(3))
    state[0][1] = compiled.fresh(1)[0][0]
    read = np.frombuffer(state[0].tobytes(), np.float32).reshape(state[0].shape)  # read-only memory
    found, _ = compiled(second, [read])
    anew, _ = compiled(second, compiled.fresh(3))
    on, _ = compiled(second, compiled(first, compiled.fresh(3))[1])
    np.testing.assert_array_equal(found[1], anew[1])
    np.testing.assert_array_equal(found[[0, 2]], on[[0, 2]])


def test_a_row_answers_the_same_whoever_stands_beside_it(compiled: CompiledStep) -> None:
    rows = rows_of(6, 21, COLUMNS)
    state, alone = compiled.fresh(21), compiled.fresh(1)
    for row in rows:
        (found, state), (one, alone) = compiled(row, state), compiled(row[20:], alone)
        np.testing.assert_allclose(found[20:], one, rtol=0, atol=1e-6)


def test_an_unknown_row_is_an_unknown_answer_for_itself_only(compiled: CompiledStep) -> None:
    rows = rows_of(2, COLUMNS)
    rows[1, 0] = np.nan
    found, _ = compiled(rows, compiled.fresh(2))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_a_stream_through_the_loop_equals_the_native_one() -> None:
    classifier, series = classifier_of(**SHAPES["three blocks"]), walk(200, seed=5)
    streams = [
        StreamingPredictor(step, FactorRows(CONFIG), length=LENGTH, renewal=8)
        for step in (TorchStep(classifier), CompiledStep(classifier))
    ]
    ends = np.arange(streams[0].length - 1, 200)
    native, compiled = (one.over(series, ends) for one in streams)
    np.testing.assert_allclose(compiled, native, rtol=0, atol=1e-5)


def test_other_rows_than_the_network_reads_are_refused(compiled: CompiledStep) -> None:
    with pytest.raises(DataError) as caught:
        compiled(rows_of(2, 5), compiled.fresh(2))
    numbers = compiled.fresh(1)[0].shape[1]
    assert str(caught.value) == (
        f"Expected rows (2, 3) and states (2, {numbers}), was rows (2, 5) and states (2, {numbers})."
    )


def test_a_network_that_selects_its_variables_has_none_and_is_refused() -> None:
    classifier = classifier_of(**SHAPES["one of each"], selection=True)
    assert not compiles(classifier)
    with pytest.raises(ArtifactError) as caught:
        CompiledStep(classifier)
    assert str(caught.value) == (
        "The model has no compiled step: it cannot answer candle by candle, or selects its variables. Use its step "
        "through ONNX Runtime, or predict from windows."
    )
