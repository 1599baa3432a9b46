"""The LeNet-5 classifier. Methods and attributes follow timm's conventions."""

from __future__ import annotations

from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

from triptych.models.checks import require_image_size
from triptych.models.feature_info import FeatureInfo, choose_features
from triptych.models.head import create_classifier
from triptych.models.lenet.layers import SMALLEST_IMAGE, Form, Sizes, feature_points, initialise
from triptych.models.pooling import GridPooling

GRID: Final = 5
"""Pixels a side of the map that the first full layer reads: the map of a 32 x 32 image, as it is."""


class LeNet(nn.Module):
    """Two convolutions with pooling, two full layers, dropout, linear classifier.

    The paper reads 32 x 32 pixels. Here images may have any size from 13 x 13: the last map is pooled to 5 x 5 cells,
    which changes nothing for 32 x 32. A large image is better drawn smaller than pooled so coarsely.
    Weights are torch's defaults until `initialise` draws them or a checkpoint fills them.

    Args:
        sizes: of all layers.
        form: which of the two networks.
        in_chans: image channels.
        num_classes: classes; 0 removes the classifier, and the output is (batch, num_features).
        drop_rate: dropout before the classifier, in training only.
        global_pool: how the last map comes to its cells: avg, max, avgmax, or empty to keep the map (then num_classes
            must be 0).

    Raises RecipeError when a classifier is asked for without pooling.
    """

    def __init__(
        self,
        sizes: Sizes,
        form: Form,
        *,
        in_chans: int = 3,
        num_classes: int = 1000,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.num_features = sizes.fc2
        self.feature_info: FeatureInfo = choose_features(feature_points(sizes), None)
        self._form = form
        self.conv1 = nn.Conv2d(in_chans, sizes.conv1, 5)
        self.pool1 = form.pooling()
        self.conv2 = nn.Conv2d(sizes.conv1, sizes.conv2, 5)
        self.pool2 = form.pooling()
        self.fc1 = nn.Linear(sizes.conv2 * GRID * GRID, sizes.fc1)
        self.fc2 = nn.Linear(sizes.fc1, sizes.fc2)
        self._set_classifier(num_classes, global_pool)

    def _set_classifier(self, num_classes: int, global_pool: str) -> None:
        fc3 = create_classifier(self.num_features, num_classes, global_pool)
        self.num_classes = num_classes
        self.global_pool = GridPooling(global_pool, GRID)
        self.fc3 = fc3

    def get_classifier(self) -> nn.Module:
        """The last layer: a linear one, or the identity when num_classes is 0."""
        return self.fc3

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """Replace the last layer by a fresh one for `num_classes` classes, on the same device and of the same dtype."""
        weight = self.conv1.weight
        self._set_classifier(num_classes, global_pool)
        initialise(self.fc3, 1.0)
        self.fc3.to(device=weight.device, dtype=weight.dtype)
        self.fc3.train(self.training)

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """The last feature map: channels of conv2, height and width about a quarter of the image's.

        Raises RecipeError for images too small for the convolutions.
        """
        require_image_size(self._form.name, x_BCHW, SMALLEST_IMAGE)
        x_BCHW = self.pool1(self._form.activation(self.conv1(x_BCHW)))
        x_BCHW = self.pool2(self._form.activation(self.conv2(x_BCHW)))
        return x_BCHW

    def forward_head(self, x_BCHW: Tensor, pre_logits: bool = False) -> Tensor:
        """From the last feature map to logits (batch, num_classes), or with `pre_logits` to the classifier's input.

        With an empty `global_pool` the map comes out as it is.
        """
        x: Tensor = self.global_pool(x_BCHW)
        if not self.global_pool.name:
            return x
        x = self._form.activation(self.fc1(x.flatten(1)))
        x = self._form.activation(self.fc2(x))
        if self.drop_rate > 0.0:
            x = F.dropout(x, p=self.drop_rate, training=self.training)
        if not pre_logits:
            x = self.fc3(x)
        return x

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for images of shape (batch, in_chans, height, width)."""
        return self.forward_head(self.forward_features(x_BCHW))
