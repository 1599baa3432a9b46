"""Walls: single prices at which far more rests than usual, and clusters of them, followed from row to row.

A wall is told by sizes of its own row and the past alone. Usual is what the rows before held at that place of the book:
the best level of a busy market holds a hundred times what the next ones do, and is no wall for that. While it stands
nothing is final but its price, side and first row; how it ended is known at the row in which it is gone. What became of
it is read off the book, for a tape holds no orders:

- filled: the wall had shrunk at the touch, or the price went through it from the touch: somebody traded with it;
- pulled: it was gone while better prices of its side were still there (or stood at the touch untouched and vanished
  although nothing traded, where trades are given);
- out of sight: the book moved so far that its price lies behind the last level known;
- cut off: the tape or an unbroken stretch of it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.books.belonging import refuse_foreign_trades
from triptych.market.books.tape import BookTape
from triptych.market.books.trades import Trades

Ending = Literal["filled", "pulled", "out of sight", "cut off"]
Usual = Literal["place", "side"]


class Config(BaseConfig):
    """What counts as a wall."""

    multiple: float = Field(8.0, gt=1, description="Least size of a wall, in usual sizes.")
    usual: Usual = Field(
        "place",
        description="The usual size. `place`: the mean of what the rows before held at the level's place, counted "
        "from the touch, or at one of the two beside it, whichever is largest; of a wall half of the least size that "
        "made it one counts. `side`: the mean of the median level of the side.",
    )
    release: float = Field(
        0.5, gt=0, le=1, description="A wall is gone when less than this share of its size when it was seen is left."
    )
    usual_rows: int = Field(100, ge=1, le=1_000_000, description="Rows before, over which the usual size is averaged.")
    warm_up: int = Field(20, ge=1, description="Rows of a stretch before the first wall is named.")
    cluster_bp: float = Field(
        2.0, ge=0, description="A wall nearer than this to one of its side that stands belongs to its cluster."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wall:
    """One wall. `last`, `ending` and `filled_size` are known at `known_at`, everything else at `first`.

    Attributes:
        side: 1 for bids, -1 for asks.
        price: quote currency.
        size: base units when it was first seen; `multiple` the same in usual sizes.
        first, last: rows in which it stood, the first and the last.
        known_at: row at which its end was known: the one after `last`; `last` itself where the tape ended.
        distance: levels between it and the touch when it was first seen, 0 at the touch.
        last_distance: likewise in its last row.
        cluster: number of the group of walls it was part of when it appeared: even for bids, odd for asks, rising.
        ending: what became of it.
        filled_size: base units traded at its price while it stood; NaN without trades.
    """

    side: int
    price: float
    size: float
    multiple: float
    first: int
    last: int
    known_at: int
    distance: int
    last_distance: int
    cluster: int
    ending: Ending
    filled_size: float = np.nan

    @property
    def rows(self) -> int:
        """Rows it stood."""
        return self.last - self.first + 1


def usual_size(sizes: NDArray[np.float64], segment: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """What the median level of a side usually holds, float64 of shape (n,), from the rows before; NaN without any.

    The mean over at most `rows` rows of the same segment: large orders hardly move it, and it is next to nothing where
    most levels are nearly empty.
    """
    typical = np.full(len(sizes), np.nan)
    known = ~np.isnan(sizes[:, 0])
    typical[known] = np.nanmedian(sizes[known], axis=1)
    starts = np.searchsorted(segment, segment, side="left")
    first = np.maximum(starts, np.arange(len(sizes)) - rows)
    usual = np.full(len(sizes), np.nan)
    for row in range(len(sizes)):
        past = typical[first[row] : row]
        past = past[~np.isnan(past)]
        if past.size:
            usual[row] = past.mean()
    return usual


def usual_by_place(past: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each level of a side usually holds, counted from the touch: float64 of shape (levels,); NaN without any.

    The mean of what the level held in the rows before, or one of the two beside it, whichever is largest, for one step
    of the price moves every level by a place.

    Args:
        past: sizes in the rows before, float64 of shape (k, levels); NaN where there was none.
    """
    known = ~np.isnan(past)
    count = known.sum(axis=0)
    means = np.full(past.shape[1], np.nan)
    np.divide(np.where(known, past, 0.0).sum(axis=0), count, out=means, where=count > 0)
    beside = np.pad(means, 1, constant_values=np.nan)
    found: NDArray[np.float64] = np.fmax(np.fmax(beside[:-2], beside[2:]), means)
    return found


def find_walls(tape: BookTape, config: Config | None = None, *, trades: Trades | None = None) -> tuple[Wall, ...]:
    """All walls of a tape, in the order in which their ends became known.

    Args:
        tape: books.
        config: what counts as a wall.
        trades: of the same instrument; with them a wall at the touch that vanished without a trade counts as pulled,
            and `filled_size` says how much of it was traded.

    Raises DataError for trades of another instrument or time.
    """
    config = config or Config()
    if trades is not None:
        refuse_foreign_trades(tape, trades)
    found = _of_side(tape, 1, config) + _of_side(tape, -1, config)
    if trades is not None:
        found = [_with_trades(wall, tape, trades) for wall in found]
    return tuple(sorted(found, key=lambda wall: (wall.known_at, wall.first, wall.side, wall.price)))


def _of_side(tape: BookTape, side: int, config: Config) -> list[Wall]:
    clusters = _Clusters(side, config.cluster_bp)
    prices = tape.bid_prices if side == 1 else tape.ask_prices
    sizes = tape.bid_sizes if side == 1 else tape.ask_sizes
    by_side = usual_size(sizes, tape.segment, config.usual_rows) if config.usual == "side" else None
    ordinary = sizes.copy()  # what counts as usual later on: of a wall no more than a part
    starts = np.searchsorted(tape.segment, tape.segment, side="left")
    standing: dict[float, Wall] = {}
    ended: list[Wall] = []
    for row in range(len(tape)):
        if standing:
            breaks = tape.segment[row] != tape.segment[row - 1]
            for price in list(standing):
                wall = standing[price]
                if breaks:
                    ended.append(replace(standing.pop(price), known_at=row, ending="cut off"))
                    continue
                level = np.flatnonzero(prices[row] == price)
                if level.size and sizes[row, level[0]] >= config.release * wall.size:
                    standing[price] = replace(wall, last=row, last_distance=int(level[0]))
                    ordinary[row, level[0]] = min(sizes[row, level[0]], _counted(wall, config))
                else:
                    ending = _ending(side, price, prices[row], wall.last_distance)
                    ended.append(replace(standing.pop(price), known_at=row, ending=ending))
        if row - starts[row] < config.warm_up:
            continue
        if by_side is None:
            usual = usual_by_place(ordinary[max(int(starts[row]), row - config.usual_rows) : row])
        else:
            usual = np.full(sizes.shape[1], by_side[row])
        with np.errstate(invalid="ignore"):
            large = (sizes[row] >= config.multiple * usual) & (usual > 0)
        for level_at in np.flatnonzero(large):
            price = float(prices[row, level_at])
            if price not in standing:
                size = float(sizes[row, level_at])
                standing[price] = Wall(
                    side=side, price=price, size=size, multiple=size / float(usual[level_at]), first=row, last=row,
                    known_at=row, distance=int(level_at), last_distance=int(level_at),
                    cluster=clusters.of(price, standing), ending="cut off",
                )  # fmt: skip
                ordinary[row, level_at] = _counted(standing[price], config)
    return ended + [replace(wall, known_at=len(tape) - 1) for wall in standing.values()]


def _counted(wall: Wall, config: Config) -> float:
    """How much of a standing wall counts as usual: half of the least size that made it one.

    All of it would hide the walls that come beside it; none of it would make a wall of every touch for good, once one
    was taken for a wall.
    """
    return 0.5 * config.multiple * wall.size / wall.multiple


def _ending(side: int, price: float, now: NDArray[np.float64], last_distance: int) -> Ending:
    """What became of a wall that is not there, or not large, in the levels `now` of its side, best first."""
    there = now[~np.isnan(now)]
    if not there.size:
        return "out of sight"
    best, deepest = float(there[0]), float(there[-1])
    if (price - deepest) * side < 0:
        return "out of sight"
    if last_distance == 0 or (best - price) * side <= 0:  # it was the touch, or has become it, or was gone through
        return "filled"
    return "pulled"


def _with_trades(wall: Wall, tape: BookTape, trades: Trades) -> Wall:
    """The wall with what was traded at its price; a seller's aggression meets bids, a buyer's meets asks."""
    start, stop = tape.time_ms[wall.first], tape.time_ms[wall.known_at]
    low, high = np.searchsorted(trades.time_ms, [start, stop], side="right")
    hits = np.isclose(trades.price[low:high], wall.price, rtol=1e-12, atol=0) & (trades.side[low:high] != wall.side)
    size = float(trades.size[low:high][hits].sum())
    pulled = wall.ending == "filled" and size == 0.0
    return replace(wall, filled_size=size, ending="pulled" if pulled else wall.ending)


class _Clusters:
    """Numbers of groups of walls: a new wall joins the group of the nearest one of its side that stands.

    Bids have even numbers and asks odd ones, so that neither waits for the other to be counted.
    """

    def __init__(self, side: int, reach_bp: float) -> None:
        self._reach_bp = reach_bp
        self._next = 0 if side == 1 else 1

    def of(self, price: float, standing: dict[float, Wall]) -> int:
        near = min(standing, key=lambda other: abs(other - price), default=None)
        if near is not None and abs(near / price - 1) * 1e4 <= self._reach_bp:
            return standing[near].cluster
        self._next += 2
        return self._next - 2
