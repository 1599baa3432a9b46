"""What encodings are measured on: candles of a market with a price step, its order books, and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS
from triptych.images import AbstractEncoding

TICK = 0.5
"""Price step of the candles."""


def windows(batch: int, encoding: AbstractEncoding) -> torch.Tensor:
    """What the encoding's columns ask for, float32, shape (batch, length, columns).

    Candles are those of a market with a price step: closes that move by whole steps of 0.5 around 20,000 and often
    stand still, so that values tie; every twentieth candle has no range and no volume. Books lie around the closes, a
    level every basis point; anything else is noise of mean 0 and deviation 1.
    """
    random = np.random.default_rng(0)
    shape = (batch, encoding.length)
    close = 20_000 + TICK * np.cumsum(np.rint(random.standard_t(3, shape) * 4), axis=1)
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    high = np.maximum(opening, close) + TICK * random.geometric(0.3, shape) - TICK
    low = np.minimum(opening, close) - TICK * random.geometric(0.3, shape) + TICK
    volume = random.gamma(2.0, 10.0, shape)
    still = random.random(shape) < 0.05
    volume[still], opening[still], high[still], low[still] = 0.0, close[still], close[still], close[still]
    candle: dict[str, NDArray[Any]] = dict(zip(CANDLE_FIELDS, (opening, high, low, close, volume), strict=True))

    def column(name: str) -> NDArray[Any]:
        if name in candle:
            return candle[name]
        side, _, rest = name.partition("_")
        kind, _, level = rest.partition("_")
        if side in ("bid", "ask") and level.isdigit():
            away = 1e-4 * int(level) * (1 if side == "ask" else -1)
            return np.asarray(close * (1 + away) if kind == "price" else random.gamma(2.0, 1.0, shape))
        return random.standard_normal(shape)

    return torch.tensor(np.stack([column(name) for name in encoding.columns], axis=-1), dtype=torch.float32)
