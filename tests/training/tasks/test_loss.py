import math

import pytest
import torch

from triptych.training.tasks import Config
from triptych.training.tasks.loss import TaskLoss

CLASSES = torch.tensor(0.9)
FIGURES = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
TRUE = torch.tensor([[0.0, math.nan], [0.0, 0.0]])
ONES = torch.ones(2)


def test_fixed_weights_add_up_and_unknown_figures_are_left_out():
    loss = TaskLoss(Config(names=("size", "volatility"), balance="fixed", size_weight=0.1, volatility_weight=0.5))
    # size: mean of 1 and 0; volatility: 4 of the one that is known
    assert loss(CLASSES, FIGURES, TRUE, ONES).item() == pytest.approx(0.9 + 0.1 * 0.5 + 0.5 * 4.0)


def test_learned_variances_weigh_by_the_formula():
    loss = TaskLoss(Config(names=("size", "volatility")))
    with torch.no_grad():
        loss.log_variance.copy_(torch.tensor([0.2, -0.5, 1.0]))
    expected = math.exp(-0.2) * 0.9 + 0.1 + 0.5 * (math.exp(0.5) * 0.5 - 0.5) + 0.5 * (math.exp(-1.0) * 4.0 + 1.0)
    assert loss(CLASSES, FIGURES, TRUE, ONES).item() == pytest.approx(expected)


def test_the_variance_of_a_figure_settles_at_its_error():
    """The best log variance of a squared error e is log e."""
    loss = TaskLoss(Config(names=("size",)))
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        loss(CLASSES, torch.full((4, 1), 3.0), torch.zeros(4, 1), torch.ones(4)).backward()
        optimizer.step()
    assert loss.log_variance[1].item() == pytest.approx(math.log(9.0), abs=0.02)


def test_a_batch_without_any_known_figure_has_a_finite_loss_and_gradient():
    loss = TaskLoss(Config(names=("size",)))
    figures = torch.zeros(3, 1, requires_grad=True)
    found = loss(CLASSES, figures, torch.full((3, 1), math.nan), torch.ones(3))
    found.backward()
    assert math.isfinite(found.item())
    assert torch.equal(figures.grad, torch.zeros(3, 1))


def test_a_task_is_named_once():
    with pytest.raises(ValueError, match="name each task once"):
        Config(names=("size", "size"))
