import math

import torch

from triptych.models.catch.losses import channel_cosines, clustering_loss, regular_loss


def test_cosines_are_averaged_over_heads():
    q = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])
    k = torch.tensor([[[[3.0, 0.0]], [[1.0, 0.0]]]])
    torch.testing.assert_close(channel_cosines(q, k), torch.tensor([[[0.5]]]))


def test_the_clustering_loss_is_minus_the_log_of_the_open_share():
    cosines = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    mask = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    torch.testing.assert_close(float(clustering_loss(cosines, mask, 0.07)), math.log(2) / 2)
    assert abs(float(clustering_loss(cosines, torch.ones(1, 2, 2), 0.07))) < 1e-6


def test_the_regular_loss_counts_open_pairs_of_different_channels():
    mask = torch.eye(3)[None].clone()
    mask[0, 0, 1] = mask[0, 2, 0] = 1.0
    torch.testing.assert_close(float(regular_loss(mask)), 2 / 6)
    assert float(regular_loss(torch.ones(4, 1, 1))) == 0.0
