"""The GoogLeNet classifier. Methods follow timm's conventions, names of weights torchvision's."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from triptych.domain.errors import RecipeError
from triptych.models.feature_info import FeatureInfo, choose_features
from triptych.models.googlenet.auxiliary import AuxiliaryClassifier, GoogLeNetOutputs
from triptych.models.googlenet.forms import Form
from triptych.models.googlenet.initialise import initialise
from triptych.models.googlenet.plan import NetworkPlan
from triptych.models.googlenet.trunk import build_layers, feature_points
from triptych.models.head import create_classifier
from triptych.models.pooling import GlobalPooling
from triptych.models.seeding import generator_for

TAPS = ("inception4a", "inception4d")
"""The blocks whose maps the auxiliary classifiers read: `aux1` and `aux2`."""


class GoogLeNet(nn.Module):
    """Stem, nine inception blocks, pooling, dropout, linear classifier; auxiliary classifiers where wished.

    In training mode with auxiliary classifiers, its own (`aux_logits`) or those given to `forward`, the answer is a
    `GoogLeNetOutputs`; in evaluation mode it is always the main logits alone, and an exported graph holds no others.
    Weights are torch's defaults until `initialise` draws them or a checkpoint fills them.

    Args:
        plan: all channels.
        form: which of the three networks.
        in_chans: image channels.
        num_classes: classes; 0 removes the classifier, and the output is (batch, num_features).
        drop_rate: dropout before the classifier, in training only.
        global_pool: avg, max, avgmax, or empty to keep the map (then num_classes must be 0).
        aux_logits: have auxiliary classifiers as a part of the network and of its state dict, as torchvision has.

    Raises RecipeError when a classifier is asked for without pooling, or auxiliary ones without classes.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        form: Form,
        *,
        in_chans: int = 3,
        num_classes: int = 1000,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
        aux_logits: bool = False,
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.aux_logits = aux_logits
        self.feature_info: FeatureInfo = choose_features(feature_points(plan), None)
        self.num_features = self.feature_info.channels()[-1]
        self._plan, self._form = plan, form
        layers = build_layers(plan, form, in_chans)
        self._order = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.aux1: AuxiliaryClassifier | None = None
        self.aux2: AuxiliaryClassifier | None = None
        self._set_classifier(num_classes, global_pool)

    def _set_classifier(self, num_classes: int, global_pool: str) -> None:
        fc = create_classifier(self.num_features, num_classes, global_pool)
        self.num_classes = num_classes
        self.global_pool = GlobalPooling(global_pool)
        if self.aux_logits:
            self.aux1, self.aux2 = self._auxiliary_classifiers()
        self.fc = fc

    def _auxiliary_classifiers(self) -> tuple[AuxiliaryClassifier, AuxiliaryClassifier]:
        if not self.num_classes:
            raise RecipeError(
                "Auxiliary classifiers need classes, but num_classes is 0.", remedy="Leave aux_logits out."
            )
        channels, hidden = self._plan.auxiliary
        first, second = (
            AuxiliaryClassifier(
                self._plan.inceptions[name].out_channels,
                channels=channels,
                hidden=hidden,
                num_classes=self.num_classes,
                batch_norm=self._form.batch_norm,
                pool=self._form.auxiliary_pool,
            )
            for name in TAPS
        )
        return first, second

    def create_auxiliary(self, seed: int | None = None) -> nn.ModuleList:
        """Fresh auxiliary classifiers to train this network with, by giving them to `forward`.

        They are no part of the network: its state dict knows nothing of them, and when training is over they can be
        forgotten. On the network's device and of its dtype. `seed` fixes their weights.

        Raises RecipeError when the network has no classes.
        """
        weight = next(self.parameters())
        heads = nn.ModuleList(self._auxiliary_classifiers()).to(device=weight.device, dtype=weight.dtype)
        initialise(heads, generator_for(heads, seed))
        return heads

    def get_classifier(self) -> nn.Module:
        """The last layer: a linear one, or the identity when num_classes is 0."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """Replace the last layer by a fresh one for `num_classes` classes, on the same device and of the same dtype.

        Auxiliary classifiers of the network's own become fresh with it.
        """
        weight = next(self.parameters())
        self._set_classifier(num_classes, global_pool)
        for fresh in (self.fc, self.aux1, self.aux2):
            if fresh is not None:
                initialise(fresh)
                fresh.to(device=weight.device, dtype=weight.dtype).train(self.training)

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """The last feature map, of shape (batch, num_features, height / 32, width / 32), for images as in `forward`."""
        return self._maps(x_BCHW)[0]

    def _maps(self, x_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last map, and those that auxiliary classifiers read."""
        tapped = []
        for name in self._order:
            x_BCHW = getattr(self, name)(x_BCHW)
            if name in TAPS:
                tapped.append(x_BCHW)
        return x_BCHW, tapped

    def forward_head(self, x_BCHW: Tensor, pre_logits: bool = False) -> Tensor:
        """From the last feature map to logits (batch, num_classes), or with `pre_logits` to the classifier's input."""
        x: Tensor = self.global_pool(x_BCHW)
        if self.drop_rate > 0.0:
            x = F.dropout(x, p=self.drop_rate, training=self.training)
        if not pre_logits:
            x = self.fc(x)
        return x

    def forward(self, x_BCHW: Tensor, auxiliary: nn.ModuleList | None = None) -> Tensor | GoogLeNetOutputs:
        """Logits of shape (batch, num_classes) for images of shape (batch, in_chans, height, width).

        In training mode with `auxiliary` (see `create_auxiliary`) or auxiliary classifiers of its own: theirs too.
        """
        last_BCHW, tapped = self._maps(x_BCHW)
        logits = self.forward_head(last_BCHW)
        if not self.training:
            return logits
        heads = list(auxiliary) if auxiliary is not None else [self.aux1, self.aux2]
        first, second = (head(map_) if head is not None else None for head, map_ in zip(heads, tapped, strict=True))
        if first is None or second is None:
            return logits
        return GoogLeNetOutputs(logits=logits, aux_logits2=second, aux_logits1=first)
