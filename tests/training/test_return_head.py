"""A second head that learns the return."""

import pytest
import torch
from tests.fakes.classifier import CloseEncoding
from torch import nn

from triptych.inference.classifier import ForecastHead, WindowClassifier
from triptych.training.module import TrainingModule
from triptych.training.trainer import Config, fit
from triptych.training.windows import WindowSet

CONFIG = Config(epochs=2, batch_size=32, early_stopping=0, learning_rate=0.05, weight_decay=0.0)
SCALE = 0.02


class Foretelling(nn.Module):
    """Class scores and a return from the first pixel; counts nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.return_head = nn.Linear(1, 3), nn.Linear(1, 1)
        self.register_buffer("return_scale", torch.ones(()))
        nn.init.zeros_(self.return_head.weight)
        nn.init.zeros_(self.return_head.bias)

    def forward(self, x):
        return self.fc(x.flatten(1)[:, :1])

    def scores_and_return(self, x):
        return self(x), self.return_head(x.flatten(1)[:, :1])[:, 0]


class FirstValue(nn.Module):
    """The first value of the window as an image in [0, 1]."""

    def forward(self, window):
        return window[:, :1, :1, None].flatten(1)[:, :, None, None]


def windows(n: int, seed: int, returns: bool = True) -> WindowSet:
    """Windows of one candle whose value foretells the return: 0.02 times the centred pixel, and chance."""
    chance = torch.Generator().manual_seed(seed)
    values = torch.rand(n, 1, generator=chance)
    noise = torch.randn(n, generator=chance)
    return WindowSet(
        values=values,
        starts=torch.arange(n),
        labels=torch.randint(0, 3, (n,), generator=chance),
        uniqueness=torch.ones(n),
        length=1,
        returns=SCALE * (2 * values[:, 0] - 1) + 0.002 * noise if returns else None,
    )


def test_returns_are_gathered_moved_and_part_of_the_fingerprint():
    some, none = windows(20, 0), windows(20, 0, returns=False)
    batch = some.gather(torch.tensor([3, 1]))
    assert torch.equal(batch.returns, some.returns[[3, 1]])
    assert torch.equal(batch.to(torch.device("cpu")).returns, batch.returns)
    assert none.gather(torch.tensor([3])).returns is None
    assert none.to(torch.device("cpu")).returns is None
    assert some.fingerprint() != none.fingerprint()
    assert some.size_bytes == none.size_bytes + 4 * 20


def test_the_head_learns_the_return_in_its_natural_units(tmp_path):
    classifier = WindowClassifier(FirstValue(), Foretelling())
    fit(classifier, windows(4000, 0), windows(50, 1), CONFIG, tmp_path, 5, progress=False)
    probe = windows(100, 2)
    with torch.no_grad():
        probabilities, foretold = ForecastHead(classifier)(probe.values[:, None])
    assert probabilities.shape == (100, 3)
    assert torch.corrcoef(torch.stack([foretold, probe.returns]))[0, 1] > 0.95
    assert float(foretold.std()) == pytest.approx(float(probe.returns.std()), rel=0.2)


def test_without_a_weight_the_head_learns_nothing(tmp_path):
    classifier = WindowClassifier(FirstValue(), Foretelling())
    config = CONFIG.model_copy(update={"return_weight": 0.0, "epochs": 1})
    fit(classifier, windows(100, 0), windows(50, 1), config, tmp_path, 5, progress=False)
    assert classifier.network.return_head.weight.tolist() == [[0.0]]


def test_what_is_recorded_is_the_loss_of_the_classes_alone():
    def losses(weight: float) -> tuple[float, float]:
        torch.manual_seed(0)
        classifier = WindowClassifier(FirstValue(), Foretelling())
        config = CONFIG.model_copy(update={"return_weight": weight})
        module = TrainingModule(classifier, config, train=windows(64, 0), steps_per_epoch=1, seed=5)
        module.trainer = Steps()
        loss = module.training_step(windows(64, 0).gather(torch.arange(64)), 0)
        return float(loss.detach()), float(module._train_sum)

    alone, recorded_alone = losses(0.0)
    both, recorded = losses(0.1)
    assert recorded == recorded_alone == pytest.approx(alone)
    # A head that says nothing is off by the returns themselves: by one deviation, squared, but for their mean.
    returns = windows(64, 0).returns
    assert both - alone == pytest.approx(0.1 * float((returns / returns.std()).square().mean()), rel=1e-5)


class Steps:
    """As much of Lightning's trainer as a training step asks for."""

    optimizers = (torch.optim.SGD([torch.zeros(1)], lr=0.1),)


def test_a_network_without_the_head_is_trained_as_ever():
    classifier = WindowClassifier(CloseEncoding(), nn.Sequential(nn.Flatten(), nn.LazyLinear(3)))
    assert not classifier.foretells_return
