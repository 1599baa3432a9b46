"""Measures of an order book as arrays: what features of tapes and factors beside candles share.

Arrays hold a row a book: prices and sizes of shape (n, levels), the best level first, NaN where a level is missing. A
value is NaN where the book does not have what it needs. `bp` is basis points of the mid.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
BP: Final = 1e4


class Sides(NamedTuple):
    """Both sides of many books, each float64 of shape (n, levels)."""

    bid_prices: Values
    bid_sizes: Values
    ask_prices: Values
    ask_sizes: Values

    def top(self, levels: int) -> Sides:
        """The best levels of each side, as views."""
        return Sides(*(side[:, :levels] for side in self))

    @property
    def mid(self) -> Values:
        """Middle between best bid and best ask, shape (n,)."""
        return (self.bid_prices[:, 0] + self.ask_prices[:, 0]) / 2


def spread_bp(sides: Sides) -> Values:
    """Best ask less best bid in basis points of the mid, shape (n,)."""
    return (sides.ask_prices[:, 0] - sides.bid_prices[:, 0]) / sides.mid * BP


def microprice(sides: Sides) -> Values:
    """The mid leaning towards the side with less size: bid and ask weighted by the size of the other side, shape (n,).

    Where both sizes are 0 it is the mid.
    """
    bid, ask = sides.bid_sizes[:, 0], sides.ask_sizes[:, 0]
    weight = np.where(
        bid + ask > 0, bid / np.where(bid + ask > 0, bid + ask, 1.0), np.where(bid + ask == 0, 0.5, np.nan)
    )
    price: Values = sides.ask_prices[:, 0] * weight + sides.bid_prices[:, 0] * (1 - weight)
    return price


def microprice_bp(sides: Sides) -> Values:
    """The microprice less the mid in basis points, shape (n,)."""
    mid = sides.mid
    return (microprice(sides) - mid) / mid * BP


def imbalance(sides: Sides) -> Values:
    """(bid size - ask size) / (bid size + ask size) over all levels, shape (n,), from -1 to 1.

    A side that is empty counts as 0; NaN when both are.
    """
    bid, ask = np.nansum(sides.bid_sizes, axis=1), np.nansum(sides.ask_sizes, axis=1)
    total = bid + ask
    return np.where(total > 0, (bid - ask) / np.where(total > 0, total, 1.0), np.nan)


def log_depth(sides: Sides) -> Values:
    """Logarithm of the size of all levels of both sides together, shape (n,); NaN where nothing rests."""
    total = np.nansum(sides.bid_sizes, axis=1) + np.nansum(sides.ask_sizes, axis=1)
    return np.log(np.where(total > 0, total, np.nan))


def walked_cost_bp(sides: Sides, wanted: Values, side: int, *, beyond: bool = False) -> Values:
    """How much worse than the mid a market order is filled that takes the book level by level, nothing refilled.

    Args:
        sides: the books.
        wanted: base units of each order, above 0 or NaN, shape (n,).
        side: 1 for a buy, which takes asks, -1 for a sell.
        beyond: fill what the levels do not hold at the last price there is; else such an order has no cost.

    Returns:
        Mean price in basis points of the mid, shape (n,); NaN where a side is empty.
    """
    prices, resting = (sides.ask_prices, sides.ask_sizes) if side == 1 else (sides.bid_prices, sides.bid_sizes)
    price, there = np.nan_to_num(prices), np.nan_to_num(resting)
    mid = sides.mid
    before = np.cumsum(there, axis=1) - there
    size = np.where(np.isnan(wanted), 1.0, wanted)
    taken = np.clip(size[:, None] - before, 0.0, there)
    paid = (taken * (price - mid[:, None])).sum(axis=1)
    rest = size - there.sum(axis=1)
    if beyond:
        deepest = np.nanmax(np.where(np.isnan(prices), -np.inf, side * prices), axis=1) * side
        paid = paid + np.where(rest > 0, rest * (deepest - mid), 0.0)
    cost: Values = paid / size * side / mid * BP
    return np.where(np.isnan(wanted) | ((rest > 0) & (not beyond)), np.nan, cost)


def slopes(sides: Sides) -> tuple[Values, Values]:
    """How fast size adds up away from the mid on the (bid, ask) side: base units a basis point, each of shape (n,).

    The least-squares line through the origin of cumulated size over distance, taken over the levels there are.
    """
    mid = sides.mid[:, None]
    found = []
    for prices, sizes in ((sides.bid_prices, sides.bid_sizes), (sides.ask_prices, sides.ask_sizes)):
        distance = np.abs(prices - mid) / mid * BP
        cumulated = np.cumsum(np.nan_to_num(sizes), axis=1)
        squares = np.nansum(distance**2, axis=1)
        products = np.nansum(distance * cumulated, axis=1)
        found.append(np.where(squares > 0, products / np.where(squares > 0, squares, 1.0), np.nan))
    return found[0], found[1]


def slope_log_ratio(sides: Sides) -> Values:
    """Logarithm of the bids' slope over the asks', shape (n,): above 0 where size comes sooner below the mid."""
    bid, ask = slopes(sides)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(bid / ask)
    return np.where(np.isfinite(ratio), ratio, np.nan)
