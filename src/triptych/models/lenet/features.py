"""A LeNet-5 that returns its feature maps instead of classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from triptych.models.checks import require_image_size
from triptych.models.feature_info import FeatureInfo, choose_features
from triptych.models.lenet.layers import SMALLEST_IMAGE, Form, Sizes, feature_points


class LeNetFeatures(nn.Module):
    """The two convolutions; full layers are left out, and so is the second convolution when its maps are not wanted.

    Args:
        sizes: of all layers.
        form: which of the two networks.
        in_chans: image channels.
        out_indices: which of the three maps (strides 1, 2, 4); see `choose_features`.
    """

    def __init__(
        self, sizes: Sizes, form: Form, *, in_chans: int = 3, out_indices: Sequence[int] | int | None = None
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.feature_info: FeatureInfo = choose_features(feature_points(sizes), out_indices)
        self._form = form
        self._taken = frozenset(point.stage for point in self.feature_info.chosen)
        self.conv1 = nn.Conv2d(in_chans, sizes.conv1, 5)
        if max(self._taken) > 1:
            self.pool1 = form.pooling()
            self.conv2 = nn.Conv2d(sizes.conv1, sizes.conv2, 5)
            self.pool2 = form.pooling()

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Maps in the order of `feature_info`; of n pixels a side they have n - 4, ceil(that / 2) - 4, half of that."""
        require_image_size(self._form.name, x_BCHW, SMALLEST_IMAGE)
        maps = [self._form.activation(self.conv1(x_BCHW))]
        if max(self._taken) > 1:
            maps.append(self._form.activation(self.conv2(self.pool1(maps[0]))))
            maps.append(self.pool2(maps[1]))
        return [map_ for stage, map_ in enumerate(maps, start=1) if stage in self._taken]
