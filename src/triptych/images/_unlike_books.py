"""Rows that are no order book: half a level, a hole among the levels, a best bid above the best ask.

A level that is not there is NaN in price and size (or of size 0 without a price), and comes after those that are there;
a book without any level is empty. Whatever else is NaN is not known, and an image of it would show a market that never
was. A bid at the ask is let pass: single precision may round both to one number.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain.book import BOOK_FIELDS
from triptych.images._cpu import kernel

HALF: Final = 1
HOLE: Final = 2
CROSSED: Final = 3


def first_unlike(values: NDArray[Any], columns: tuple[str, ...]) -> tuple[int, int, str, str] | None:
    """(window, row, what is wrong, what to do) of the first row that is no order book; None where all are.

    Args:
        values: of shape (batch, time, columns).
        columns: their names; those that belong to no book are not looked at.
    """
    places = _places(columns)
    if places is None:
        return None
    kind, window, row, side, level = _first(values, places)
    if not kind:
        return None
    name = ("bid", "ask")[side]
    if kind == HALF:
        has = np.isnan(values[window, row, places[side, level, 1]])
        held = "a price and no size" if has else "a size and no price"
        return window, row, f"{name} level {level + 1} has {held}", _HALF
    if kind == HOLE:
        return window, row, f"{name} level {level} is missing, and level {level + 1} is there", _HOLE
    bid, ask = (values[window, row, places[i, 0, 0]] for i in (0, 1))
    return window, row, f"the best bid {bid} is above the best ask {ask}", _CROSSED


_HALF = "A level that is not there is NaN in price and size: bring both, or neither."
_HOLE = (
    "Levels stand from the best price outward: those that are not there come last. Sort them, or leave the book out."
)
_CROSSED = "Leave out books that are crossed: the stream they come from has lost a message, or the sides are exchanged."


@cache
def _places(columns: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Columns of price and size of each level, shape (2 sides, levels, 2); -1 where there is none. None without any."""
    of_books = [(name.rpartition("_"), place) for place, name in enumerate(columns)]
    found = [(field, int(level), place) for (field, _, level), place in of_books if field in BOOK_FIELDS]
    if not found:
        return None
    places = np.full((2, max(level for _, level, _ in found), 2), -1, dtype=np.int64)
    for field, level, place in found:
        side, kind = divmod(BOOK_FIELDS.index(field), 2)
        places[side, level - 1, kind] = place
    return places


@kernel
def _first(values: NDArray[Any], places: NDArray[np.int64]) -> tuple[int, int, int, int, int]:
    """(what is wrong, window, row, side, level counted from 0) of the first row that is no book; all 0: none."""
    for b in range(values.shape[0]):
        for t in range(values.shape[1]):
            row = values[b, t]
            for side in range(2):
                ended = False
                for k in range(places.shape[1]):
                    at_price, at_size = places[side, k, 0], places[side, k, 1]
                    if at_price < 0 or at_size < 0:
                        continue
                    no_price, no_size = np.isnan(row[at_price]), np.isnan(row[at_size])
                    if no_price != no_size and not (no_price and row[at_size] == 0):
                        return HALF, b, t, side, k
                    if no_price:
                        ended = True
                    elif ended:
                        return HOLE, b, t, side, k
            bid, ask = places[0, 0, 0], places[1, 0, 0]
            if bid >= 0 and ask >= 0 and row[bid] > row[ask]:
                return CROSSED, b, t, 0, 0
    return 0, 0, 0, 0, 0
