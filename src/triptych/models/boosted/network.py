"""A frozen network whose features are read by boosted trees instead of its own last layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from triptych.models.boosted.trees import TreeEnsemble


class BoostedNetwork(nn.Module):
    """Image -> features of the backbone -> principal components -> trees -> class scores.

    A tree is a step: its answer has no gradient, and a feature that lies on a threshold may fall to either side on
    another machine. `is_stepwise` tells those who compare or explain.

    Attributes:
        backbone: a network by timm's conventions, never changed here.
        trees: what reads its features.
    """

    is_stepwise = True

    def __init__(self, backbone: nn.Module, mean: Tensor, components: Tensor, trees: TreeEnsemble) -> None:
        """Join the parts; `mean` is of shape (features,), `components` of shape (features, what trees read)."""
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)
        self.trees = trees
        for parameter in backbone.parameters():
            parameter.requires_grad_(False)

    def tree_inputs(self, x_BCHW: Tensor) -> Tensor:
        """What the trees read, shape (batch, components)."""
        features: Any = features_of(self.backbone, x_BCHW)
        found: Tensor = (features - self.get_buffer("mean")) @ self.get_buffer("components")
        return found

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Class scores of shape (batch, classes); their softmax is the trees' probabilities."""
        scores: Tensor = self.trees(self.tree_inputs(x_BCHW))
        return scores


def features_of(network: nn.Module, x_BCHW: Tensor) -> Tensor:
    """What a network's last layer reads, shape (batch, features)."""
    called: Any = network
    found: Tensor = called.forward_head(called.forward_features(x_BCHW), pre_logits=True)
    return found


def empty_projection(features: int, components: int) -> tuple[Tensor, Tensor]:
    """A mean and components to load weights into."""
    return torch.zeros(features), torch.zeros(features, components)
