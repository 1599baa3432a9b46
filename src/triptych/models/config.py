"""The network of a recipe."""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import nn

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.models.registry import check_name, create_model
from triptych.models.sequence.config import Config as SequenceConfig

HEAD_STD = 0.01
"""Standard deviation of a fresh classifier's weights."""


class OtherMarketsConfig(BaseConfig):
    """Weights that a network has learnt from other markets, or from an earlier time of the same."""

    path: str = Field(
        "",
        description="folder of a run, whose last fold is taken, or of an artifact; read where model.pretrained is "
        "other_markets, and only by a network of the same kind, size and encoding. What taught it must lie before the "
        "test of every fold",
    )
    hash: str = Field(
        "",
        description="SHA-256 of these weights. A run writes it down, so that others in the same folder are noticed; "
        "nothing needs to be said here",
    )


class Config(BaseConfig):
    """Which network reads the images, how large it is and where its first weights come from."""

    name: str = Field(
        "efficientnet_b0",
        description="name of the network: efficientnet_b0 to b7, tf_efficientnetv2_s and others, googlenet, "
        "googlenet_bn, googlenet_paper, lenet5, lenet5_relu; of sequences: xlstm_small, xlstm_medium, xlstm_large, "
        "xlstm_minutes, xlstm_intraday, xlstm_hours, xlstm_days, xlstm_adaptive, xlstm_timeframes, lstm, gru, tcn; of "
        "the probabilities of a network of order books: recalibrated; a tag after a dot chooses published weights, "
        "such as efficientnet_b0.ra_in1k; timm:NAME is any network of timm that takes images of "
        "any size, such as timm:resnet18, where timm is installed",
    )
    width: float = Field(
        1.0,
        gt=0,
        le=4,
        description="factor of all channels (each rounded to a multiple of 8, in a lenet5 to a whole number, in a "
        "network of sequences to twice its heads); below 1 is narrower",
    )
    depth: float = Field(
        1.0,
        gt=0,
        le=4,
        description="factor of the blocks per stage (rounded up; rounded, in a network of sequences); below 1 is "
        "shallower; googlenet and lenet5 have one depth, 1",
    )
    drop_rate: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the classifier in training")
    drop_path_rate: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="chance in training to skip a residual branch; grows linearly from 0 at the first block to nearly "
        "this at the last; without effect in googlenet, lenet5 and networks of sequences",
    )
    pretrained: bool | Literal["other_markets"] = Field(
        False,
        description="true: start from published ImageNet weights (downloaded once; width and depth must be 1); "
        "other_markets: from those that model.other_markets names",
    )
    other_markets: OtherMarketsConfig = Field(OtherMarketsConfig(), description="weights learnt from other markets")
    checkpoint_path: str = Field(
        "", description="start from this .safetensors file, in timm's or torchvision's names; empty for none"
    )
    sequence: SequenceConfig = Field(
        SequenceConfig(), description="how a network of sequences differs from its preset; not for networks of images"
    )

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> Self:
        if self.begins_elsewhere and self.checkpoint_path:
            raise ValueError("pretrained and checkpoint_path name two sources of weights; give only one of them")
        return self

    @field_validator("name")
    @classmethod
    def _must_be_known(cls, name: str) -> str:
        try:
            check_name(name)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return name

    @property
    def begins_elsewhere(self) -> bool:
        """Whether the first weights are those of `other_markets`."""
        return self.pretrained == "other_markets"

    def as_options(self) -> dict[str, Any]:
        """What a card keeps, so that `create_model` builds the network again: name, size and wishes."""
        wishes = self.sequence.model_dump(mode="json", exclude_defaults=True)
        return {"name": self.name, "width": self.width, "depth": self.depth} | ({"sequence": wishes} if wishes else {})


def build_network(config: Config, in_chans: int, num_classes: int, *, seed: int | None = None) -> nn.Module:
    """The classifier of a recipe: images of `in_chans` channels in, `num_classes` logits out.

    `seed` fixes the first weights; None draws them from torch's default generator. Raises what `create_model` raises.
    """
    network = create_model(
        config.name,
        pretrained=config.pretrained is True,  # weights of other markets are the business of who builds a recipe
        in_chans=in_chans,
        num_classes=num_classes,
        drop_rate=config.drop_rate,
        drop_path_rate=config.drop_path_rate,
        checkpoint_path=config.checkpoint_path,
        seed=seed,
        **{option: value for option, value in config.as_options().items() if option != "name"},
    )
    _start_undecided(network, seed)
    return network


def _start_undecided(network: nn.Module, seed: int | None) -> None:
    """Give a fresh classifier small weights.

    timm's initialisation bounds them by 1 / sqrt(classes), meant for a thousand classes; with three, the first loss is
    several times ln 3, and the trunk spends its first epochs undoing it.
    """
    loaded = getattr(network, "weights_report", None)
    if loaded is not None and not loaded.fresh:
        return  # the weights file brought a classifier of its own
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    head = network.get_classifier()  # type: ignore[operator]
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=HEAD_STD, generator=generator)
        nn.init.zeros_(head.bias)
