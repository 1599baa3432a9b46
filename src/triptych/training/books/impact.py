"""Market impact, estimated on the first part of a recording and judged on the rest.

Two questions. How far does the mid move with the order flow? The regression of Cont, Kukanov and Stoikov ("The Price
Impact of Order Book Events", Journal of Financial Econometrics 12(1), 2014, section 3): the change of the mid over a
bucket of rows on its order-flow imbalance. It explains the same bucket; what it says of the next one is given as well,
beside queue imbalance, for only that could be traded on.

And what does a market order cost that walks the book? Cost over size as an intercept plus c * size ** power, the power
free, a half (the square-root law) or one. The law is about large orders worked over hours (Toth et al., "Anomalous
Price Impact and the Critical Nature of Liquidity in Financial Markets", Physical Review X 1, 021006, 2011); here it is
held against the shape of the resting book, which is all that a tape without one's own orders can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import least_squares

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import NotEnoughData
from triptych.market.books import BookTape, order_flow_imbalance, queue_imbalance
from triptych.market.books.walking import walk_cost
from triptych.training.intervals import Interval, default_block_length, interval, resample_weights, widening

Values = NDArray[np.float64]
FEWEST: Final = 30
"""Buckets, in either part, below which nothing is estimated."""
BLOCKS: Final = 20
"""Of the test books, that cost curves are judged by."""


class Config(BaseConfig):
    """How impact is estimated."""

    rows: int = Field(10, ge=1, le=100_000, description="Rows of a bucket of order flow.")
    train: float = Field(0.6, gt=0, lt=1, description="Share of the recording to estimate from.")
    sizes: int = Field(12, ge=4, le=100, description="Sizes of market orders, up to the largest that is filled.")
    span: float = Field(100.0, gt=1, description="The largest size over the smallest.")
    filled: float = Field(0.95, gt=0.5, le=1, description="Share of training books that must fill the largest size.")
    resamples: int = Field(1000, ge=100, le=100_000, description="Resamples of the intervals.")
    seed: int = Field(0, ge=0, description="Seed of the resamples.")


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowImpact:
    """A line fitted on the training part: mid change in basis points on a signal of the book.

    Attributes:
        name: of the signal and what it explains.
        slope: basis points for one unit of the signal; intercept in basis points.
        train_r2: share of the variance explained in training.
        test_r2: out of sample, against the training mean, with its interval; below 0 the mean would have been better.
        buckets: test buckets.
    """

    name: str
    slope: float
    intercept: float
    train_r2: float
    test_r2: Interval
    buckets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkImpact:
    """A curve fitted on the training part: cost = intercept_bp + scale * (size / unit) ** power, in basis points.

    The intercept is where the curve meets no size at all, not the half spread: a walk is flat until the first level
    is used up, and no such curve is. `unit` is the largest size in base units. `test_r2` is over all test books and
    sizes; `test_error_bp` the mean absolute error of the mean cost of a size; `over_free` is `test_r2` minus that of
    the curve of a free power, whose interval tells whether they are told apart. Intervals are at 95 %, by a bootstrap
    of blocks of time, a twentieth of the test each: books that follow one another are nearly one book. The curves are
    as they were fitted; that another training part would have given others is not in the intervals.
    """

    name: str
    intercept_bp: float
    scale: float
    power: float
    unit: float
    train_r2: float
    test_r2: Interval
    test_error_bp: Interval
    over_free: Interval


def flow_impact(tape: BookTape, config: Config | None = None) -> tuple[FlowImpact, ...]:
    """The mid's change in a bucket on its order flow, and in the next bucket on order flow and on queue imbalance.

    Buckets do not overlap and never cross a segment. Raises NotEnoughData for fewer than 30 buckets in either part.
    """
    config = config or Config()
    ends, flow, queue, move = buckets_of(tape, config.rows)
    follows = np.zeros(len(ends), dtype=bool)
    follows[:-1] = (ends[1:] - ends[:-1] == config.rows) & (tape.segment[ends[1:]] == tape.segment[ends[:-1]])
    after = np.where(follows, np.roll(move, -1), np.nan)
    return (
        _line("this bucket's move on its order flow", flow, move, config),
        _line("next bucket's move on order flow", flow, after, config),
        _line("next bucket's move on queue imbalance", queue, after, config),
    )


def buckets_of(tape: BookTape, rows: int) -> tuple[NDArray[np.int64], Values, Values, Values]:
    """Ends of buckets of `rows` rows, their order flow, the queue imbalance at their ends, and their moves in bp."""
    flow = order_flow_imbalance(tape, rows=rows)
    mid = tape.mid
    ends: list[int] = []
    for segment in np.unique(tape.segment):
        first, stop = np.searchsorted(tape.segment, [segment, segment + 1])
        ends += range(first + rows, stop, rows)
    at = np.array(ends, dtype=np.int64)
    move = (mid[at] / mid[at - rows] - 1.0) * 1e4
    return at, flow[at], queue_imbalance(tape)[at], move


def walk_impact(tape: BookTape, config: Config | None = None) -> tuple[WalkImpact, ...]:
    """Curves of the cost of market orders: of a free power, of the square root, and a line.

    Raises NotEnoughData where the books are too few or a side is often empty.
    """
    config = config or Config()
    sizes, unit, train, test = _costs(tape, config)
    means = np.nanmean(train, axis=0)
    relative, mean = sizes / unit, float(np.nanmean(train))
    names = ("free power", "square root", "line")
    fits = [_curve(relative, means, power) for power in (None, 0.5, 1.0)]
    curves = [half + scale * relative**power for half, scale, power in fits]
    judged = _judge_curves(test, curves, mean, config)
    return tuple(
        WalkImpact(
            name=name, intercept_bp=half, scale=scale, power=power, unit=unit, train_r2=_r2(train, curve, mean),
            test_r2=r2, test_error_bp=error, over_free=over,
        )
        for name, (half, scale, power), curve, (r2, error, over) in zip(names, fits, curves, judged, strict=True)
    )  # fmt: skip


def _line(name: str, signal: Values, move: Values, config: Config) -> FlowImpact:
    known = np.isfinite(signal) & np.isfinite(move)
    x, y = signal[known], move[known]
    cut = int(len(x) * config.train)
    if min(cut, len(x) - cut) < FEWEST:
        raise NotEnoughData(
            f"Market impact needs {FEWEST} buckets of {config.rows} rows in training and in test, there are {cut} and "
            f"{len(x) - cut}.",
            remedy="Bring a longer recording or shorten the buckets.",
        )
    design = np.column_stack([np.ones(cut), x[:cut]])
    (intercept, slope), *_ = np.linalg.lstsq(design, y[:cut], rcond=None)
    said, mean = intercept + slope * x, y[:cut].mean()
    error, spread = (y - said) ** 2, (y - mean) ** 2
    test_r2 = _r2_interval(error[cut:], spread[cut:], config)
    return FlowImpact(
        name=name, slope=float(slope), intercept=float(intercept),
        train_r2=float(1 - error[:cut].sum() / max(spread[:cut].sum(), 1e-300)), test_r2=test_r2, buckets=len(x) - cut,
    )  # fmt: skip


def _r2_interval(error: Values, spread: Values, config: Config) -> Interval:
    n = len(error)
    block = default_block_length(n, 1)
    draws: list[Values] = []
    for weights in resample_weights(np.arange(n), block, config.resamples, config.seed):
        with np.errstate(divide="ignore", invalid="ignore"):
            draws.append(1.0 - (error @ weights) / (spread @ weights))
    value = float(1.0 - error.sum() / spread.sum()) if spread.sum() > 0 else float("nan")
    return interval(value, np.concatenate(draws), 0.95, (-np.inf, 1.0), widening(n, block, 1, 0.95))


def _costs(tape: BookTape, config: Config) -> tuple[Values, float, Values, Values]:
    """Sizes, the largest of them, and costs of buys and sells below one another in either part."""
    cut = int(len(tape) * config.train)
    if min(cut, len(tape) - cut) < FEWEST:
        raise NotEnoughData(f"Cost curves need {FEWEST} books in either part.", remedy="Bring a longer recording.")
    past = tape.between(0, cut)
    largest = largest_size(past, config.filled)
    sizes = np.geomspace(largest / config.span, largest, config.sizes)
    parts: Sequence[Values] = [
        np.concatenate([walk_cost(part, sizes, side) for side in (1, -1)])
        for part in (past, tape.between(cut, len(tape)))
    ]
    return sizes, largest, parts[0], parts[1]


def largest_size(tape: BookTape, filled: float) -> float:
    """The size in base units that this share of the books fill on either side. Raises NotEnoughData where it is 0."""
    depth = np.concatenate([np.nansum(tape.bid_sizes, axis=1), np.nansum(tape.ask_sizes, axis=1)])
    largest = float(np.quantile(depth, 1.0 - filled))
    if not largest > 0:
        raise NotEnoughData(
            f"{tape.symbol}: more than {1 - filled:.0%} of the books have an empty side, so that no order is filled in "
            "nearly all of them.",
            remedy="Choose another stretch of the recording.",
        )
    return largest


def _curve(relative: Values, cost: Values, power: float | None) -> tuple[float, float, float]:
    """Intercept, scale and power of the curve nearest to the mean costs, none of them negative."""
    start = [float(cost[0]) / 2, max(float(cost[-1] - cost[0]), 1e-9), 0.5]

    def errors(p: Values) -> Values:
        found: Values = p[0] + p[1] * relative ** (power if power is not None else p[2]) - cost
        return found

    p = least_squares(errors, start, bounds=([0, 0, 0.05], [np.inf, np.inf, 4.0]), x_scale=[1.0, 1.0, 0.1]).x
    return float(p[0]), float(p[1]), float(p[2]) if power is None else power


def _r2(costs: Values, curve: Values, mean: float) -> float:
    known = np.isfinite(costs)
    error = np.where(known, costs - curve, 0.0)
    spread = np.where(known, costs - mean, 0.0)
    return float(1.0 - (error**2).sum() / (spread**2).sum())


def _judge_curves(
    costs: Values, curves: Sequence[Values], mean: float, config: Config
) -> list[tuple[Interval, Interval, Interval]]:
    """Of each curve R2, mean error and R2 minus that of the first one, all on the same resamples of blocks of time.

    `costs` are those of all buys and below them of all sells, of the same books.
    """
    n = len(costs) // 2
    block = max(1, n // BLOCKS)
    known = np.isfinite(costs)
    spread = _of_books(np.where(known, costs - mean, 0.0) ** 2, n).sum(axis=1)
    errors = [_of_books(np.where(known, costs - curve, 0.0) ** 2, n).sum(axis=1) for curve in curves]
    paid, filled = _of_books(np.where(known, costs, 0.0), n), _of_books(known.astype(np.float64), n)

    def figures(weights: Values) -> tuple[Values, Values]:
        """R2 and mean error, each of shape (curves, columns of the weights); a size that was never filled is left out
        of the error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = np.stack([1.0 - (error @ weights) / (spread @ weights) for error in errors])
            usual = (paid.T @ weights) / (filled.T @ weights)
        away = np.abs(usual[None] - np.stack(curves)[:, :, None])
        there = np.isfinite(away)
        count = there.sum(axis=1)
        total = np.where(there, away, 0.0).sum(axis=1)
        return r2, np.where(count > 0, total / np.maximum(count, 1), np.nan)

    whole = [one[:, 0] for one in figures(np.ones((n, 1)))]
    parts = [figures(w) for w in resample_weights(np.arange(n), block, config.resamples, config.seed)]
    draws = [np.concatenate([part[i] for part in parts], axis=1) for i in (0, 1)]
    stretch = widening(n, block, 1, 0.95)
    everything = (-np.inf, np.inf)
    return [
        (
            interval(float(whole[0][i]), draws[0][i], 0.95, (-np.inf, 1.0), stretch),
            interval(float(whole[1][i]), draws[1][i], 0.95, (0.0, np.inf), stretch),
            interval(float(whole[0][i] - whole[0][0]), draws[0][i] - draws[0][0], 0.95, everything, stretch),
        )
        for i in range(len(curves))
    ]


def _of_books(values: Values, n: int) -> Values:
    """Of each book, what its buys and its sells make together: float64 of shape (n, sizes)."""
    return values[:n] + values[n:]
