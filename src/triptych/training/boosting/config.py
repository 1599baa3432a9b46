"""How boosted trees are grown on a network's features, in settings: apart from the growing, which loads libraries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych.domain import Config as BaseConfig


class Config(BaseConfig):
    """Whether trees read the network's features in the place of its last layer, and how they are grown."""

    engine: Literal["none", "auto", "xgboost", "histogram"] = Field(
        "none",
        description="`none`: the network answers itself. `xgboost` (extra `boosting`), `histogram` (scikit-learn's "
        "histogram boosting), `auto`: xgboost where it is installed. The network is trained first and then frozen; "
        "trees learn from its training windows and stop by its validation windows, fold by fold.",
    )
    components: int = Field(
        32,
        ge=0,
        le=4096,
        description="Principal components of the features, found on the training windows, that trees read at most; 0 "
        "for the features themselves. What varies by less than 1e-5 of the features' length is left out.",
    )
    rounds: int = Field(300, ge=1, le=10_000, description="Rounds at most, one tree a class each.")
    learning_rate: float = Field(0.05, gt=0, le=1, description="Share of each tree that counts.")
    depth: int = Field(3, ge=1, le=12, description="Questions on the way to a leaf at most.")
    leaf_samples: int = Field(
        50, ge=1, description="Training windows in a leaf at least (xgboost: their summed second derivatives, times 4)."
    )
    l2: float = Field(1.0, ge=0, description="L2 penalty on what leaves say.")
    early_stopping: int = Field(
        30, ge=1, description="Stop after this many rounds without a lower validation loss; the best round is kept."
    )
