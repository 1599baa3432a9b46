"""The losses against their formulas, written out for two or three pairs."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from triptych.training.siamese.losses import contrastive, nt_xent, triplet

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
ALL = ~torch.eye(2, dtype=torch.bool)


def test_contrastive_pulls_like_pairs_and_pushes_unlike_ones_to_the_margin():
    first, second = torch.tensor([EAST, NORTH]), torch.tensor([NORTH, NORTH])
    # like: squared distances 2 and 0; unlike: first 0 and second 1 are sqrt(2) apart, first 1 and second 0 are 0 apart
    expected = 0.5 * ((2.0 + 0.0) / 2 + (0.0 + 0.5**2) / 2)
    assert contrastive(first, second, ALL, margin=0.5).item() == pytest.approx(expected, abs=1e-5)


def test_triplet_takes_the_nearest_unlike_window():
    first, second = torch.tensor([EAST, WEST]), torch.tensor([NORTH, WEST])
    # row 0: like sqrt(2), unlike 2; row 1: like 0, unlike sqrt(2)
    expected = (max(0.0, math.sqrt(2) - 2 + 0.8) + max(0.0, -math.sqrt(2) + 0.8)) / 2
    assert triplet(first, second, ALL, margin=0.8).item() == pytest.approx(expected, abs=1e-5)


def test_nt_xent_is_the_cross_entropy_of_finding_the_like_window():
    first, second = torch.tensor([EAST, WEST]), torch.tensor([EAST, NORTH])
    t = 0.5
    rows = [first[0], first[1], second[0], second[1]]
    losses = []
    for i, like in ((0, 2), (1, 3), (2, 0), (3, 1)):
        scores = [math.exp(float(rows[i] @ rows[j]) / t) for j in range(4) if j != i]
        losses.append(-math.log(math.exp(float(rows[i] @ rows[like]) / t) / sum(scores)))
    assert nt_xent(first, second, ALL, temperature=t).item() == pytest.approx(sum(losses) / 4, abs=1e-5)


@pytest.mark.parametrize("loss", ["contrastive", "triplet", "nt_xent"])
def test_windows_that_share_candles_play_no_part_and_gradients_stay_finite(loss):
    torch.manual_seed(0)
    first = normalize(torch.randn(3, 4), dim=1).requires_grad_()
    second = normalize(torch.randn(3, 4), dim=1)
    unlike = torch.zeros(3, 3, dtype=torch.bool)
    unlike[0, 1] = unlike[1, 0] = True  # row 2 shares candles with both
    make = {
        "contrastive": lambda s: contrastive(first, s, unlike, margin=1.0),
        "triplet": lambda s: triplet(first, s, unlike, margin=1.0),
        "nt_xent": lambda s: nt_xent(first, s, unlike, temperature=0.3),
    }[loss]
    value = make(second)
    (slope,) = torch.autograd.grad(value, first)
    assert torch.isfinite(slope).all()
    same = make(first.detach())  # like pairs that coincide: the root's slope must not be infinite
    assert math.isfinite(same.item())


def test_losses_equal_those_of_pytorch_metric_learning():
    losses = pytest.importorskip("pytorch_metric_learning.losses", reason="pytorch-metric-learning is not installed")
    torch.manual_seed(1)
    first, second = (normalize(torch.randn(6, 8), dim=1) for _ in range(2))
    unlike = ~torch.eye(6, dtype=torch.bool)
    theirs = losses.NTXentLoss(temperature=0.2)(torch.cat([first, second]), torch.arange(6).repeat(2))
    assert nt_xent(first, second, unlike, temperature=0.2).item() == pytest.approx(theirs.item(), abs=1e-5)
