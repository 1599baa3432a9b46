"""The losses of several questions as one.

With losses L_i and learned s_i = log variance_i the sum is exp(-s) L + s / 2 of the classes and (exp(-s) L + s) / 2 of
each figure: a question that cannot be answered grows a large variance and stops disturbing the others, and the variance
costs as much as it grows.

Source: Kendall, Gal, Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and Semantics",
CVPR 2018, equations 7 and 10.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.training.tasks.config import Config


class TaskLoss(nn.Module):
    """Joins the loss of the classes with those of the figures; its log variances learn with the network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._balance = config.balance
        self._weights = [config.weight(task) for task in config.names]
        self.log_variance = nn.Parameter(torch.zeros(1 + len(config.names)))

    def forward(self, classes: Tensor, figures_BK: Tensor, targets_BK: Tensor, weights_B: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            classes: loss of the classes, a number.
            figures_BK, targets_BK: foretold and true figures in standard deviations, shape (batch, tasks); true ones
                that are not known are NaN and left out.
            weights_B: weight of each window.
        """
        known = torch.isfinite(targets_BK)
        errors = squared_errors(figures_BK, targets_BK)
        losses = (errors * weights_B[:, None]).sum(dim=0) / known.sum(dim=0).clamp(min=1)
        if self._balance == "fixed":
            return classes + sum(
                (w * loss for w, loss in zip(self._weights, losses, strict=True)), torch.zeros_like(classes)
            )
        s = self.log_variance
        of_figures = 0.5 * (torch.exp(-s[1:]) * losses + s[1:]).sum()
        return torch.exp(-s[0]) * classes + 0.5 * s[0] + of_figures


def squared_errors(figures_BK: Tensor, targets_BK: Tensor) -> Tensor:
    """Squared errors of figures, shape (batch, tasks); 0 where the true one is NaN."""
    known = torch.isfinite(targets_BK)
    return torch.where(known, figures_BK.float() - torch.nan_to_num(targets_BK), 0.0).square()
