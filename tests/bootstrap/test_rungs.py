import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from tests.fakes.market import walk

from triptych.bootstrap import rungs
from triptych.bootstrap.rungs import rungs_of
from triptych.domain.errors import RecipeError
from triptych.inference import Artifact
from triptych.inference.base import AbstractPredictor
from triptych.inference.reference import Reference
from triptych.live.failover import Config, Ladder
from triptych.settings.live import LiveSettings

SERIES = walk(60, seed=3, symbol="AAA")
CLOSES = {"AAA": int(SERIES.close_time_ms[-1])}


class Always(AbstractPredictor):
    name, length = "net", 20

    def __init__(self, fault=""):
        self.fault = fault

    def probabilities(self, windows):
        if self.fault:
            raise RuntimeError(self.fault)
        return np.tile(np.array([0.1, 0.1, 0.8], dtype=np.float32), (len(windows), 1))


class Net(Artifact):
    """Stands in for a saved model: on the GPU it loses its device, on the CPU it answers as told."""

    streams = False

    def predictor(self, backend="onnx", *, device="cpu", threads=0):
        return Always("CUDA error: device-side assert" if device == "cuda" else self.card)


class View:
    def history(self, symbol, length):
        return SERIES.between(len(SERIES) - length, len(SERIES))


def ladder(monkeypatch, *, gpu=True, cpu_fault="", **settings):
    monkeypatch.setattr(rungs, "fingerprint", lambda _one: "print")
    monkeypatch.setattr(rungs, "reference_of", lambda _one: Reference(length=3))
    run = SimpleNamespace(recipe=SimpleNamespace(name="net"), folder="runs/net")
    found = rungs_of([run], [Net(folder=None, card=cpu_fault)], LiveSettings(**settings), has_gpu=lambda: gpu)
    return Ladder([one.level for one in found], Config(), lambda _text: None)


def ask(found):
    try:
        return asyncio.run(found.predict(View(), CLOSES))
    finally:
        found.close()


def test_a_lost_gpu_is_answered_for_by_the_same_model_on_the_cpu_at_the_same_decision(monkeypatch):
    outcome = ask(ladder(monkeypatch))
    assert outcome.name == "net"
    assert outcome.failures == {"net (cuda)": "RuntimeError: CUDA error: device-side assert"}
    assert outcome.predictions["AAA"].probability_buy == pytest.approx(0.8)


def test_the_rule_answers_when_gpu_and_cpu_have_failed_and_without_it_nobody_does(monkeypatch):
    assert ask(ladder(monkeypatch, cpu_fault="broken")).name == "none"
    outcome = ask(ladder(monkeypatch, cpu_fault="broken", last_resort="rules"))
    assert (outcome.name, outcome.level) == ("rules", 2)
    assert outcome.predictions["AAA"].is_usable


def test_drift_of_each_rung_is_held_against_the_training_of_its_own_model(monkeypatch):
    found = ladder(monkeypatch, last_resort="rules")
    found.close()
    assert [one.reference.length for one in found.levels] == [3, 3, 0]
    assert [one.model for one in found.levels] == ["print", "print", "rules"]


def test_time_is_kept_for_the_rule_only(monkeypatch):
    found = ladder(monkeypatch, last_resort="rules")
    found.close()
    assert [one.is_instant for one in found.levels] == [False, False, True]


@pytest.mark.parametrize(("gpu", "device", "names"), [
    (True, "cpu", ["net"]), (False, "auto", ["net"]), (True, "cuda", ["net (cuda)", "net"]),
])  # fmt: skip
def test_the_device_says_which_rungs_there_are(monkeypatch, gpu, device, names):
    assert [one.name for one in ladder(monkeypatch, gpu=gpu, device=device).levels] == names


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(monkeypatch):
    with pytest.raises(RecipeError) as caught:
        ladder(monkeypatch, gpu=False, device="cuda")
    assert caught.value.message == "device = cuda, and no GPU was found."
