"""Labels of order books: where the mid of the next rows lies on average, against the mid now.

The form of FI-2010 (Ntakaris et al. 2018, section 4) and of DeepLOB: with m(i) the mid of row i, the move of row i over
k rows is mean(m(i + 1) .. m(i + k)) / m(i) - 1; above the threshold it is a buy, below minus the threshold a sell. The
mean keeps a single flicker of the quotes from making a label. A label is known k rows after its row, no earlier.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import BUY, HOLD, SELL
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import NotEnoughData

UNKNOWN: Final = -1
"""Class of a row whose label is not known: too near to an end, a gap or, unless allowed, midnight."""
LEAST_BP: Final = 1e-6
"""Moves below this are rounding: the mid stood still."""


class Config(BaseConfig):
    """What is to be foretold of a book."""

    horizon: int = Field(50, ge=1, le=1_000_000, description="Rows ahead whose mean mid is compared with the mid now.")
    threshold: Literal["training", "fixed"] = Field(
        "training",
        description="`training`: so wide that `hold_share` of the training rows hold. `fixed`: `threshold_bp`.",
    )
    hold_share: float = Field(
        1 / 3, ge=0, lt=1, description="Share of the training rows that hold; for `threshold = training`."
    )
    threshold_bp: float = Field(
        20.0, gt=0, description="Move in basis points from which on a row is no hold; FI-2010's is 20 (0.002)."
    )


def future_moves(mid: NDArray[np.float64], stretch: NDArray[np.int64], horizon: int) -> NDArray[np.float64]:
    """Moves in basis points of the mid now, float64 of shape (n,).

    Args:
        mid: float64 of shape (n,), quote currency; NaN where a side was empty.
        stretch: int64 of shape (n,): rows of one number belong together, and no label reaches from one to the next.
        horizon: rows ahead.

    NaN where a row of the horizon is missing, has no mid, or belongs to another stretch.
    """
    n = len(mid)
    moves = np.full(n, np.nan)
    if n > horizon:
        ahead = np.lib.stride_tricks.sliding_window_view(mid[1:], horizon)
        now = mid[: n - horizon]
        same = stretch[: n - horizon] == stretch[horizon:]
        # Differences first: a mean of prices would leave a trace of rounding where the mid never moved.
        moves[: n - horizon] = np.where(same, (ahead - now[:, None]).mean(axis=1) / now * 1e4, np.nan)
    return moves


def fit_threshold(moves: NDArray[np.float64], config: Config) -> float:
    """The threshold in basis points for these moves, which must be those of the training part and no others.

    Raises NotEnoughData when none of them is known.
    """
    if config.threshold == "fixed":
        return config.threshold_bp
    known = np.abs(moves[np.isfinite(moves)])
    if not known.size:
        raise NotEnoughData(
            f"No row of the training part has a label over {config.horizon} rows.",
            remedy="Bring longer recordings, or shorten `target.horizon`.",
        )
    return max(float(np.quantile(known, config.hold_share)), LEAST_BP)


def classes_of(moves: NDArray[np.float64], threshold_bp: float) -> NDArray[np.int64]:
    """Classes in the order of `CLASSES`, int64 of shape (n,); UNKNOWN where the move is not known."""
    classes = np.select([moves > threshold_bp, moves < -threshold_bp], [BUY, SELL], HOLD)
    return np.where(np.isfinite(moves), classes, UNKNOWN).astype(np.int64)
