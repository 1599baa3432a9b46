"""How a network learns which windows are alike, in settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych.domain import Config as BaseConfig


class Config(BaseConfig):
    """Whether the network learns likeness instead of classes, and how.

    Which windows are alike is said by `pairs`. Windows without a common candle are not alike, and with `pairs =
    "outcome"` only such as were followed by something else too. Without it no label is learned from: what followed a
    window stands in the library only.
    """

    loss: Literal["none", "contrastive", "triplet", "nt_xent"] = Field(
        "none",
        description="`none`: the network learns classes. `contrastive`: like windows together, unlike ones a margin "
        "apart. `triplet`: the nearest unlike window farther than the like one by a margin. `nt_xent`: the like window "
        "found among all of the batch.",
    )
    pairs: Literal["near", "next", "outcome"] = Field(
        "near",
        description="Which windows are alike. `near`: that end within `near` candles. `next`: one and that behind it, "
        "without a common candle, so that only what lasts makes windows alike. `outcome`: after which the market was "
        "about as volatile, whenever they were.",
    )
    dimension: int = Field(32, ge=2, le=1024, description="Dimensions of the space.")
    near: int = Field(
        8,
        ge=1,
        description="Candles by which like windows end apart at most, or by which the next window begins later than it "
        "might; half a window at most.",
    )
    scaled: bool = Field(
        False,
        description="Each channel is brought to mean 0 and deviation 1 of the training part, for unlike factors.",
    )
    projection: int = Field(
        0,
        ge=0,
        le=1024,
        description="Outputs of a map behind the network on which the loss is taken and which is dropped then, as in "
        "SimCLR: what makes pairs alike is learned, and more is kept; 0: none.",
    )
    margin: float = Field(0.5, gt=0, le=2, description="Contrastive and triplet: margin of distances on the sphere.")
    temperature: float = Field(0.2, gt=0, le=10, description="Of nt_xent: smaller looks harder at close windows.")
    library: int = Field(4096, ge=10, le=1_000_000, description="Labelled windows that are remembered, evenly thinned.")
    sharpness: float = Field(
        10.0, gt=0, le=1000, description="How much more a close window of the library counts than a far one."
    )
