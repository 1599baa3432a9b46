"""What a market order costs that walks the book: taken level by level as it stands, nothing refilled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.features.book_measures import Sides, walked_cost_bp
from triptych.market.books.tape import BookTape

Values = NDArray[np.float64]


def walk_cost(tape: BookTape, sizes: Values, side: int) -> Values:
    """How much worse than the mid an order is filled on average, in basis points of the mid.

    Args:
        tape: books.
        sizes: float64 of shape (m,), base units, above 0.
        side: 1 for a buy, which takes asks, -1 for a sell.

    Returns:
        float64 of shape (n, m). NaN where the levels that the tape knows do not fill the order, or a side is empty.

    Raises DataError for a size that is not positive.
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    if not (sizes > 0).all():
        raise DataError("Sizes of market orders must be above 0.", remedy="Leave out the others.")
    sides = Sides(tape.bid_prices, tape.bid_sizes, tape.ask_prices, tape.ask_sizes)
    if not len(sizes):
        return np.empty((len(tape), 0))
    return np.stack([walked_cost_bp(sides, np.full(len(tape), size), side) for size in sizes], axis=1)
