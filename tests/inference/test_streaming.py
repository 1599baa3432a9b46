from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.fakes.market import HOUR_MS, series_of, walk

from triptych.domain import CandleSeries
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.images import create_encoding
from triptych.inference import (
    AbstractView,
    FactorRows,
    OnnxStep,
    StreamingPredictor,
    TorchStep,
    WindowClassifier,
)
from triptych.inference.factors import FactorPredictor
from triptych.inference.inputs import Config
from triptych.inference.predictor import TorchPredictor
from triptych.inference.step import export_step
from triptych.models import create_model

NAMES = ("return_1", "body", "roc_5")
CONFIG = Config(names=NAMES, window=20)
LENGTH, RENEWAL = 12, 8
TOLERANCE = 5e-5
"""In probability: single precision through thirty steps of a network with large weights, read in two ways."""


def classifier_of(name: str = "xlstm_small", columns: int = 3, **sequence: object) -> WindowClassifier:
    wishes = {"width": 8, "blocks": 2, "heads": 2, **sequence}
    network = create_model(name, in_chans=columns, num_classes=3, seed=0, sequence=wishes)
    with torch.no_grad():
        for one in network.parameters():
            one.add_(0.3 * torch.randn(one.shape, generator=torch.Generator().manual_seed(1)))
    encoding = create_encoding("sequence", LENGTH, factors=columns)
    return WindowClassifier(encoding, network).eval()


@pytest.fixture(scope="module")
def classifier() -> WindowClassifier:
    return classifier_of()


@pytest.fixture(scope="module")
def step_file(classifier: WindowClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("step") / "step.onnx"
    export_step(classifier, path)
    return path


class View(AbstractView):
    """What has closed by a candle; counts what it is asked for."""

    def __init__(self, *series: CandleSeries) -> None:
        self._series = {one.symbol: one for one in series}
        self.asked: list[int] = []

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        self.asked.append(length)
        one = self._series[symbol]
        return one.between(len(one) - length, len(one)) if len(one) >= length else None


def predictor_of(classifier: WindowClassifier, renewal: int = RENEWAL, config: Config = CONFIG) -> StreamingPredictor:
    return StreamingPredictor(TorchStep(classifier), FactorRows(config), length=LENGTH, renewal=renewal, name="s")


def recomputed(classifier: WindowClassifier, series: CandleSeries, end: int, config: Config = CONFIG) -> NDArray:
    """What the network says of all candles since the memory of candle `end` began, read at once."""
    numbers = series.open_time_ms // HOUR_MS
    first = int(np.flatnonzero(numbers // RENEWAL == numbers[end] // RENEWAL)[0])
    rows = FactorRows(config).rows(series)[first - LENGTH + 1 : end + 1]
    columns = 2.0 * classifier.encoding.pixels(torch.from_numpy(rows)[None]) - 1.0
    with torch.no_grad():
        logits, _ = classifier.network.prefill(columns.transpose(1, 2)[:, :, None])
    return torch.softmax(logits, dim=-1)[0].numpy()


def said(prediction) -> list[float]:
    return [prediction.probability_sell, prediction.probability_hold, prediction.probability_buy]


def test_candle_by_candle_equals_reading_everything_since_the_memory_began_at_once(classifier):
    series, predictor = walk(260, seed=1), predictor_of(classifier)
    for end in range(predictor.length - 1, 260):
        now = predictor.predict_now(View(series.head(end + 1)), "AAA", 7)
        assert (now.symbol, now.model, now.time_ms) == ("AAA", "s", 7)
        np.testing.assert_allclose(said(now), recomputed(classifier, series, end), rtol=0, atol=TOLERANCE)


def test_a_whole_history_at_once_says_the_same_and_so_does_a_process_that_began_later(classifier):
    series, predictor = walk(260, seed=1), predictor_of(classifier)
    ends = np.arange(predictor.length - 1, 260)
    whole = predictor.over(series, ends)
    for end, answer in zip(ends.tolist(), whole, strict=True):
        np.testing.assert_allclose(answer, recomputed(classifier, series, end), rtol=0, atol=TOLERANCE)
    late = predictor_of(classifier)
    for end in range(231, 260):
        now = late.predict_now(View(series.between(end + 1 - late.length, end + 1)), "AAA", 7)
        np.testing.assert_allclose(said(now), whole[end - ends[0]], rtol=0, atol=TOLERANCE)


def test_a_step_needs_the_last_candles_only_and_a_renewal_the_whole_stretch(classifier):
    series, predictor = walk(260, seed=1), predictor_of(classifier)
    warm_up = FactorRows(CONFIG).warm_up
    asked = []
    for end in range(239, 249):  # hour 240 begins a memory, hour 248 the next
        view = View(series.head(end + 1))
        predictor.predict_now(view, "AAA", 0)
        asked.append(view.asked)
    step, anew = warm_up + 2, predictor.length
    assert asked == [[anew], [step, anew], *[[step]] * 7, [step, anew]]


def test_after_a_missing_candle_the_memory_is_made_again_from_what_there_is(classifier):
    series = walk(260, seed=1)
    keep = np.delete(np.arange(260), [203, 244])
    holed = series_of(series.values[keep], open_time_ms=series.open_time_ms[keep])
    predictor = predictor_of(classifier)
    ends = np.arange(predictor.length - 1, len(holed))
    whole = predictor.over(holed, ends)
    for end in range(235, len(holed)):
        now = predictor.predict_now(View(holed.head(end + 1)), "AAA", 7)
        np.testing.assert_allclose(said(now), whole[end - ends[0]], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(said(now), recomputed(classifier, holed, end), rtol=0, atol=TOLERANCE)


def test_a_candle_that_was_skipped_or_asked_twice_changes_nothing(classifier):
    series, steady, nervous = walk(260, seed=1), predictor_of(classifier), predictor_of(classifier)
    for end in (240, 241, 241, 243, 244, 242, 245):
        now = nervous.predict_now(View(series.head(end + 1)), "AAA", 7)
        (expected,) = steady.over(series, np.array([end]))
        np.testing.assert_allclose(said(now), expected, rtol=0, atol=TOLERANCE)


def test_renewed_at_every_candle_it_is_the_predictor_of_windows(classifier):
    series, predictor = walk(200, seed=3), predictor_of(classifier, renewal=1)
    windows = FactorPredictor(TorchPredictor(classifier, length=LENGTH, width=3), FactorRows(CONFIG))
    assert predictor.length == windows.length
    ends = np.arange(predictor.length - 1, 200)
    np.testing.assert_allclose(predictor.over(series, ends), windows.over(series, ends), rtol=0, atol=TOLERANCE)


def test_windows_are_read_step_by_step(classifier):
    windows = np.random.default_rng(0).normal(size=(5, LENGTH, 3)).astype(np.float32)
    whole = TorchPredictor(classifier, length=LENGTH, width=3).probabilities(windows)
    np.testing.assert_allclose(predictor_of(classifier).probabilities(windows), whole, rtol=0, atol=TOLERANCE)
    assert predictor_of(classifier).probabilities(windows[:0]).shape == (0, 3)


def test_instruments_have_memories_of_their_own(classifier):
    a, b = walk(250, seed=1), walk(250, seed=2, symbol="BBB")
    predictor = predictor_of(classifier)
    for end in range(243, 250):
        view = View(a.head(end + 1), b.head(end + 1))
        for one in (a, b):
            now = predictor.predict_now(view, one.symbol, 7)
            np.testing.assert_allclose(said(now), recomputed(classifier, one, end), rtol=0, atol=TOLERANCE)


def test_several_instruments_are_answered_in_one_call_and_what_they_hold_can_be_seen(classifier):
    a, b = walk(250, seed=1), walk(250, seed=2, symbol="BBB")
    predictor, view = predictor_of(classifier), View(a, b, walk(9, symbol="CCC"))
    answers = predictor.predict_all(view, {"AAA": 1, "BBB": 2, "CCC": 3})
    assert answers["CCC"] is None
    for one, time_ms in ((a, 1), (b, 2)):
        assert answers[one.symbol].time_ms == time_ms
        np.testing.assert_allclose(said(answers[one.symbol]), recomputed(classifier, one, 249), rtol=0, atol=TOLERANCE)
        held = predictor.window_now(view, one.symbol)
        assert held.shape == (LENGTH + 1, 3)  # hour 248 began the memory
        (again,) = predictor.probabilities(held[None])
        np.testing.assert_allclose(again, said(answers[one.symbol]), rtol=0, atol=TOLERANCE)
    assert predictor.window_now(view, "CCC") is None


def test_where_a_companions_candles_are_missing_there_is_no_answer_until_a_memory_without_them(classifier):
    config = CONFIG.model_copy(update={"companions": ("BBB",)})
    both = classifier_of(columns=6)
    a, b = walk(300, seed=1), walk(300, seed=2, symbol="BBB")
    keep = np.r_[0:220, 245:300]  # 25 missing: from the 17th on nothing is known
    holed = series_of(b.values[keep], symbol="BBB", open_time_ms=b.open_time_ms[keep])
    predictor = predictor_of(both, config=config)
    ends = np.arange(predictor.length - 1, 300)
    answers = predictor.over(a, ends, {"BBB": holed})
    rows = FactorRows(config).rows(a, {"BBB": holed})
    for end, answer in zip(ends.tolist(), answers, strict=True):
        begins = end // RENEWAL * RENEWAL - LENGTH + 1
        assert np.isnan(answer).any() == np.isnan(rows[begins : end + 1]).any()
        cut = {"BBB": holed.head(int((holed.open_time_ms <= a.open_time_ms[end]).sum()))}
        if len(cut["BBB"]) >= predictor.length:
            now = predictor.predict_now(View(a.head(end + 1), cut["BBB"]), "AAA", 7)
            assert (now is None) == np.isnan(answer).any()


def test_too_few_candles_are_no_answer(classifier):
    predictor = predictor_of(classifier)
    assert predictor.predict_now(View(walk(predictor.length - 1)), "AAA", 7) is None


def test_the_graph_of_the_step_answers_as_the_network_does_and_leaves_its_state_alone(classifier, step_file):
    native, graph = TorchStep(classifier), OnnxStep(step_file)
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    state, other = native.fresh(4), graph.fresh(4)
    for ours, theirs in zip(other, state, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for _ in range(5):
        kept = [one.copy() for one in other]
        (answer, state), (found, after) = native(rows, state), graph(rows, other)
        np.testing.assert_allclose(found, answer, rtol=0, atol=TOLERANCE)
        for before, one in zip(kept, other, strict=True):
            np.testing.assert_array_equal(one, before)
        other = after


def test_a_stream_through_the_graph_equals_the_native_one(classifier, step_file):
    series = walk(200, seed=5)
    graph = StreamingPredictor(OnnxStep(step_file), FactorRows(CONFIG), length=LENGTH, renewal=RENEWAL)
    ends = np.arange(graph.length - 1, 200)
    np.testing.assert_allclose(graph.over(series, ends), predictor_of(classifier).over(series, ends), atol=TOLERANCE)


@pytest.mark.parametrize(
    "other", [("xlstm_adaptive", {}), ("xlstm_small", {"pool": "mean"}), ("lstm", {"heads": None})]
)
def test_a_network_that_looks_at_its_window_as_a_whole_is_refused(other, tmp_path):
    name, sequence = other
    with pytest.raises(ArtifactError) as caught:
        export_step(classifier_of(name, **sequence), tmp_path / "step.onnx")
    assert str(caught.value) == (
        "The model cannot answer candle by candle: it looks at its window as a whole. Train an xlstm with "
        "sequence.pool = last, one timeframe, no adaptive depth, and the encoding `sequence`; others predict from "
        "windows."
    )


def test_what_is_no_step_is_refused(tmp_path):
    (tmp_path / "step.onnx").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match=r"step\.onnx is not a step that ONNX Runtime can load: .* Save the artif"):
        OnnxStep(tmp_path / "step.onnx")


def test_a_memory_cannot_be_renewed_before_it_begins(classifier):
    with pytest.raises(RecipeError) as caught:
        predictor_of(classifier, renewal=-1)
    assert str(caught.value) == "A memory is renewed after 1 candle or more, was -1. Leave it out."
    assert StreamingPredictor(TorchStep(classifier), FactorRows(CONFIG), length=LENGTH).renewal == LENGTH
