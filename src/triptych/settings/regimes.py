"""`[regimes]` of a recipe: what the strategy makes of regimes, and the network that the filter may hear."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from triptych import domain
from triptych.inference.regimes import WARM_UP
from triptych.strategies import regime
from triptych.training.multi_label import Config as TrainingConfig


class Network(domain.Config):
    """A network whose soft labels stand beside the measures of the filter, trained on the same training segment."""

    use: bool = Field(False, description="Whether there is one.")
    length: int = Field(96, ge=16, le=WARM_UP, description="Candles of a window of the network.")
    stride: int = Field(4, ge=1, le=1000, description="Windows to learn from end at every so many candles.")
    validation_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Last share of the training segment, by which the best epoch and the network's weight are chosen; "
        "nothing that is asked there has learnt from it.",
    )
    encoding: dict[str, Any] = Field(
        {"name": "candlestick", "height": 48, "width": 96}, description="How windows are drawn."
    )
    model: dict[str, Any] = Field(
        {"name": "efficientnet_b0", "width": 0.25, "depth": 0.25}, description="The network that reads them."
    )
    training: TrainingConfig = Field(TrainingConfig(epochs=4), description="How it is trained.")


class Config(regime.Config):
    """How much of a wish is kept in each regime, and what tells the regimes."""

    network: Network = Field(Network(), description="A network whose soft labels the filter hears.")
