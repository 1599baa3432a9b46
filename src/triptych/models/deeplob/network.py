"""DeepLOB as a classifier. Methods and attributes follow timm's conventions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from triptych.domain.errors import RecipeError
from triptych.models.deeplob.layers import SHRINKS_BY, Inception, Sizes, level_block
from triptych.models.head import create_classifier


class DeepLob(nn.Module):
    """Convolutions that join price and size, ask and bid, and all levels; an inception; an LSTM over time.

    Args:
        sizes: of all layers.
        levels: levels a side of the rows that are read.
        in_chans: image channels.
        num_classes: classes; 0 removes the classifier, and the output is (batch, num_features).
        drop_rate: dropout before the classifier, in training only.
        global_pool: accepted for timm's sake; the LSTM's last state is what is classified. Empty together with
            num_classes 0 keeps the states of all steps.

    Raises RecipeError when a classifier is asked for without pooling.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        levels: int = 10,
        in_chans: int = 1,
        num_classes: int = 3,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
    ) -> None:
        super().__init__()
        self.in_chans, self.levels, self.drop_rate = in_chans, levels, drop_rate
        self.num_features = sizes.hidden
        self.fields = level_block(in_chans, sizes.convolution, 2, joins=True)
        self.sides = level_block(sizes.convolution, sizes.convolution, 2, joins=True, tanh=True)
        self.book = level_block(sizes.convolution, sizes.convolution, levels, joins=False)
        self.inception = Inception(sizes.convolution, sizes.branch)
        self.lstm = nn.LSTM(3 * sizes.branch, sizes.hidden, batch_first=True)
        self._set_classifier(num_classes, global_pool)

    def _set_classifier(self, num_classes: int, global_pool: str) -> None:
        self.fc = create_classifier(self.num_features, num_classes, global_pool)
        self.num_classes, self.global_pool = num_classes, global_pool

    def get_classifier(self) -> nn.Module:
        """The last layer: a linear one, or the identity when num_classes is 0."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """Replace the last layer by a fresh one for `num_classes` classes, on the same device and of the same dtype."""
        weight = next(self.parameters())
        self._set_classifier(num_classes, global_pool)
        self.fc.to(device=weight.device, dtype=weight.dtype)
        self.fc.train(self.training)

    def forward_features(self, x_BCTW: Tensor) -> Tensor:
        """States of the LSTM at every step, (batch, hidden, time - 18, 1).

        Raises RecipeError for images of another width than price and size of both sides of every level, or of too few
        books.
        """
        height, width = x_BCTW.shape[-2:]
        if width != 4 * self.levels or height <= SHRINKS_BY:
            raise RecipeError(
                f"deeplob with {self.levels} levels reads images of more than {SHRINKS_BY} rows and {4 * self.levels} "
                f"columns, was {height} x {width}.",
                remedy="Use the encoding book_levels with as many levels (`model.levels`), and longer windows.",
            )
        x_BCT1 = self.inception(self.book(self.sides(self.fields(x_BCTW))))
        states_BTC, _ = self.lstm(x_BCT1.squeeze(-1).transpose(1, 2))
        states_BCT1: Tensor = states_BTC.transpose(1, 2)[..., None]
        return states_BCT1

    def forward_head(self, x_BCT1: Tensor, pre_logits: bool = False) -> Tensor:
        """From the states to logits (batch, num_classes), or with `pre_logits` to the classifier's input."""
        if not self.global_pool:
            return x_BCT1
        x = x_BCT1[:, :, -1, 0]
        if self.drop_rate > 0.0:
            x = F.dropout(x, p=self.drop_rate, training=self.training)
        logits: Tensor = x if pre_logits else self.fc(x)
        return logits

    def forward(self, x_BCTW: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for images of shape (batch, in_chans, time, 4 * levels)."""
        return self.forward_head(self.forward_features(x_BCTW))
