import torch

from triptych.live.monitoring import Metrics
from triptych.live.monitoring.gpu import gpu_use


def shown(use):
    lines = Metrics(gpu_use=lambda: use).text().decode().splitlines()
    return [line for line in lines if line.startswith("triptych_gpu_use_ratio")]


def test_the_use_of_a_gpu_is_asked_for_at_every_look():
    asked = iter((0.25, 0.75))
    metrics = Metrics(gpu_use=lambda: next(asked))
    assert "triptych_gpu_use_ratio 0.25" in metrics.text().decode()
    assert "triptych_gpu_use_ratio 0.75" in metrics.text().decode()


def test_without_a_gpu_there_is_no_figure_rather_than_a_zero():
    assert shown(None) == []
    assert shown(0.0) == ["triptych_gpu_use_ratio 0.0"]


def test_a_device_that_cannot_be_asked_counts_as_none(monkeypatch):
    def cannot():
        raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "utilization", cannot)
    assert gpu_use() is None
    monkeypatch.setattr(torch.cuda, "utilization", lambda: 40)
    assert gpu_use() == 0.4
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_use() is None
