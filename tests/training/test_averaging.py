import pytest
import torch
from torch import nn

from triptych.training.averaging import decay_at, running_average


def test_the_decay_rises_to_what_is_asked_for():
    assert [decay_at(step, 0.98) for step in (1, 8, 35, 439, 440, 10_000)] == pytest.approx(
        [2 / 11, 0.5, 0.8, 440 / 449, 0.98, 0.98]
    )


def test_the_average_of_a_short_training_has_forgotten_the_untrained_network():
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    step = 0
    average = running_average(network, 0.98, lambda: step)
    torch.manual_seed(0)
    for step in range(1, 61):  # noqa: B007 - read by the average
        network(1e-2 * torch.randn(64, 4))
        average.update_parameters(network)
    norm, averaged = network[1], average.module[1]
    assert averaged.running_var.mean() < 0.01  # with 0.98 from the start it stays at 0.3 of the 1 that it began with
    assert averaged.num_batches_tracked == norm.num_batches_tracked == 60
