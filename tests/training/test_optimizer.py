from itertools import pairwise

import pytest
import torch
from torch import nn

from triptych.training.optimizer import adamw, warmup_cosine


def test_only_matrices_and_kernels_are_decayed():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    decayed, plain = adamw(network, 1e-3, 0.1).param_groups
    assert [p.shape for p in decayed["params"]] == [(2, 1, 3, 3), (3, 2)]
    assert [p.shape for p in plain["params"]] == [(2,), (2,), (2,), (3,)]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)


def test_frozen_parameters_are_left_out():
    network = nn.Linear(2, 3)
    network.weight.requires_grad_(False)
    (group,) = adamw(network, 1e-3, 0.1).param_groups
    assert group["params"][0] is network.bias


def test_warmup_rises_then_half_a_cosine_falls_to_the_floor():
    rates = [warmup_cosine(step, steps=10, warmup_steps=2, floor=0.1) for step in range(11)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[6] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates[10] == pytest.approx(0.1)
    assert all(a > b for a, b in pairwise(rates[2:]))


def test_beyond_the_end_the_rate_stays_at_the_floor():
    assert warmup_cosine(99, steps=10, warmup_steps=0, floor=0.2) == pytest.approx(0.2)


def test_without_decay_of_norms_a_step_on_zero_gradients_keeps_them():
    network = nn.BatchNorm1d(3)
    optimizer = adamw(network, 0.1, 0.5)
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert network.weight.tolist() == [1.0, 1.0, 1.0]
