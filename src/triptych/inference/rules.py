"""The rule that stands in when every network has failed: two moving averages and a momentum that must agree.

Rule: a rise is foretold while the mean of the last `fast` closes lies above that of the last `slow` ones and the last
close lies above the first of those; a fall while both lie below; otherwise neither. The foretold class has the
probability `confidence`, the other two share the rest. It learns nothing, and no edge of it was ever measured here:
it keeps a position on the side of the trend, or leaves it, until a model is back.

Source: Brock, Lakonishok and LeBaron, "Simple Technical Trading Rules and the Stochastic Properties of Stock Returns",
Journal of Finance 47, 1992 (variable-length moving averages).
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from triptych import domain
from triptych.inference.base import AbstractPredictor

_CLOSE = 3
"""Column of the close in a window."""


class Config(domain.Config):
    """The rule that stands in for models."""

    fast: int = Field(default=8, ge=1, description="Closes in the fast moving average.")
    slow: int = Field(
        default=32, ge=2, description="Closes in the slow moving average; cut to what the first model reads."
    )
    confidence: float = Field(
        default=0.6,
        ge=0.34,
        lt=1,
        description="Probability of the class that the rule foretells; others share the rest.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("fast must be smaller than slow")
        return self


class RulePredictor(AbstractPredictor):
    """Foretells by the rule of this module."""

    name = "rules"

    def __init__(self, config: Config, *, longest: int) -> None:
        """Read at most `longest` candles, two at least."""
        self.length = max(2, min(config.slow, longest))
        self._fast, self._confidence = min(config.fast, self.length - 1), config.confidence

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        closes = np.asarray(windows[:, -self.length :, _CLOSE], dtype=np.float64)
        trend = closes[:, -self._fast :].mean(axis=1) - closes.mean(axis=1)
        momentum = closes[:, -1] - closes[:, 0]
        said = np.where(np.sign(trend) == np.sign(momentum), np.sign(momentum), 0.0).astype(np.int64)
        rows = np.full((len(closes), 3), (1.0 - self._confidence) / 2.0, dtype=np.float32)
        rows[np.arange(len(closes)), said + 1] = self._confidence
        rows[~np.isfinite(closes).all(axis=1)] = np.nan
        return rows
