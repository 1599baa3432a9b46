"""What is explained: how sure a network is of one class, as a number that gradients can be asked of."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.inference.classifier import WindowClassifier

BATCH = 64
"""Images that go through the network at a time."""


class Margin:
    """Log-odds of a class, log(p / (1 - p)), as a function of the image.

    A single score says little: all scores may rise together and change nothing. Log-odds rise only when the class wins
    against the others. They are computed from the scores, so that a sure network has gradients still.
    """

    def __init__(self, classifier: WindowClassifier, class_index: int) -> None:
        self.network = classifier.network
        self.class_index = class_index

    def __call__(self, image_BCHW: Tensor) -> Tensor:
        """Log-odds of shape (batch,) for images in [0, 1] as the encoding draws them."""
        scores: Tensor = self.network(2.0 * image_BCHW - 1.0)
        others = torch.cat([scores[:, : self.class_index], scores[:, self.class_index + 1 :]], dim=1)
        return scores[:, self.class_index] - torch.logsumexp(others, dim=1)

    @torch.no_grad()
    def of(self, image_BCHW: Tensor) -> Tensor:
        """The same without gradients, some images at a time."""
        return torch.cat([self(image_BCHW[start : start + BATCH]) for start in range(0, len(image_BCHW), BATCH)])
