"""What the simulated exchange should charge for the size of an order, from a recording of books and trades.

The exchange moves a market order against itself by half_spread_bp and by impact * sigma * sqrt(size / volume), sigma
and volume being means over candles. The half spread is measured, as a mean over the books. What an order that walks the
book pays above it is nearly scale * sqrt(size / unit) as well (see `impact`), so that one coefficient follows from the
other:

    impact = scale * sqrt(mean volume / unit) / sigma.

The half spread is no intercept of that curve: a walk costs the same until the first level is used up, and a root that
is fitted to such costs is lower at its beginning than any book.

Of a price that diffuses sigma grows as the root of the candle's length and so does the root of the volume, so that the
coefficient would be the same for every timeframe. Real ranges do not grow quite so: take that of the candles traded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from triptych.domain import CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.exchanges.simulated.filling import PARKINSON
from triptych.market.books import BookTape, spread_bp
from triptych.market.books.walking import walk_cost
from triptych.training.books.impact import Config, Values, largest_size
from triptych.training.intervals import Interval, default_block_length, interval, resample_weights, widening

FEWEST_CANDLES: Final = 5
BASIS_POINT: Final = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedCosts:
    """Keys of `costs` with 95 % intervals, by a bootstrap of blocks of candles.

    Attributes:
        half_spread_bp: basis points; half of what lies between best bid and best ask, the mean over the books.
        impact: the coefficient, without a unit, of what orders pay above the half spread.
        largest: the largest order in base units that the books say anything about; share_of_volume: the same as a share
            of the mean candle's volume. Beyond it the square root is a guess.
        candles: that were taken from the recording.
    """

    half_spread_bp: Interval
    impact: Interval
    largest: float
    share_of_volume: float
    candles: int


def simulated_costs(tape: BookTape, series: CandleSeries, config: Config | None = None) -> SimulatedCosts:
    """Half spread and impact as the simulated exchange takes them, from the whole of a recording.

    Args:
        tape: books.
        series: candles of the trades of the same instrument and time, with volume in base units.
        config: sizes of orders, resamples and their seed.

    Raises NotEnoughData for fewer than five candles with books, without trades, or where the price stands still.
    """
    config = config or Config()
    unit = largest_size(tape, config.filled)
    sizes = np.geomspace(unit / config.span, unit, config.sizes)
    candle = np.searchsorted(series.close_time_ms, tape.time_ms, side="left")
    inside = (candle < len(series)) & (tape.time_ms > series.open_time_ms[0])
    present, number = np.unique(candle[inside], return_inverse=True)
    if len(present) < FEWEST_CANDLES:
        raise NotEnoughData(
            f"{tape.symbol}: {len(present)} candles of {series.timeframe} hold books and trades, at least "
            f"{FEWEST_CANDLES} are needed to say what impact costs.",
            remedy="Bring a longer recording, or choose a shorter timeframe.",
        )
    half_spread = spread_bp(tape)[inside] / 2.0
    two_sided = np.isfinite(half_spread)
    spreads = np.bincount(number[two_sided], half_spread[two_sided], len(present))
    books = np.bincount(number[two_sided], minlength=len(present))
    above, count = np.zeros((len(present), len(sizes))), np.zeros((len(present), len(sizes)))
    for side in (1, -1):
        costs = walk_cost(tape, sizes, side)[inside] - half_spread[:, None]
        known = np.isfinite(costs)
        np.add.at(above, number, np.where(known, costs, 0.0))
        np.add.at(count, number, known)
    high, low, close = (series.values[present, column] for column in (1, 2, 3))
    ranges, volumes = (high - low) / close, series.values[present, 4]
    if not (ranges.sum() > 0 and volumes.sum() > 0):
        raise NotEnoughData(
            f"{tape.symbol}: nothing was traded in these candles, or at one price only.",
            remedy="Bring another stretch of the recording.",
        )
    root = np.sqrt(sizes / unit)

    def keys(weights: Values) -> Values:
        """Half spread and impact under a weighting of the candles, float64 of shape (2,)."""
        filled = weights @ count
        seen = filled > 0
        steps = root[seen]
        scale = float(steps @ ((weights @ above)[seen] / filled[seen])) / max(float(steps @ steps), 1e-300)
        two_sided = weights @ books
        half = weights @ spreads / two_sided if two_sided > 0 else np.nan
        sigma = weights @ ranges / weights.sum() / PARKINSON
        volume = weights @ volumes / weights.sum()
        return np.array([half, scale * BASIS_POINT * np.sqrt(volume / unit) / sigma if sigma > 0 else np.nan])

    n = len(present)
    block = default_block_length(n, 1)
    whole = keys(np.ones(n))
    portions = resample_weights(np.arange(n), block, config.resamples, config.seed)
    draws = np.stack([keys(one) for weights in portions for one in weights.T])
    stretch = widening(n, block, 1, 0.95)
    half, impact = (interval(float(whole[i]), draws[:, i], 0.95, (0.0, np.inf), stretch) for i in (0, 1))
    return SimulatedCosts(
        half_spread_bp=half, impact=impact, largest=unit, share_of_volume=unit / float(volumes.mean()), candles=n
    )
