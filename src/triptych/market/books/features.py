"""Features of order books: vectorised over a tape, each row from books up to and including its own.

A value is NaN where the book does not have what it needs (a side is empty, no row before it in its segment). Prices are
in quote currency, sizes in base units; `bp` is basis points of the mid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError
from triptych.features import book_measures
from triptych.features.book_measures import BP, Sides, Values
from triptych.market.books.tape import BookTape


class BookFeaturesConfig(BaseConfig):
    """Which features `book_features` gives."""

    imbalance_levels: tuple[int, ...] = Field(
        default=(1, 5, 10), description="Levels a side over which sizes are added up for the queue imbalance."
    )
    depth_bp: tuple[float, ...] = Field(
        default=(1.0, 5.0), description="Distances from the mid in basis points within which depth is added up."
    )
    flow_rows: tuple[int, ...] = Field(
        default=(1, 10, 100), description="Rows over which the order-flow imbalance is added up."
    )
    volatility_rows: int = Field(default=100, ge=2, description="Rows of the realised volatility of the mid.")
    slope_levels: int = Field(default=10, ge=1, description="Levels a side from which the slope is measured.")


def sides_of(tape: BookTape) -> Sides:
    """The four blocks of a tape."""
    return Sides(tape.bid_prices, tape.bid_sizes, tape.ask_prices, tape.ask_sizes)


def spread_bp(tape: BookTape) -> Values:
    """Best ask less best bid in basis points of the mid, shape (n,)."""
    return book_measures.spread_bp(sides_of(tape))


def microprice(tape: BookTape) -> Values:
    """The mid leaning towards the side with less size: bid and ask weighted by the size of the other side, shape (n,).

    Where both sizes are 0 it is the mid.
    """
    return book_measures.microprice(sides_of(tape))


def reach_bp(tape: BookTape) -> tuple[Values, Values]:
    """How far the last known level of (bids, asks) lies from the mid in basis points, each of shape (n,)."""
    bid, ask = np.fmin.reduce(tape.bid_prices, axis=1), np.fmax.reduce(tape.ask_prices, axis=1)
    return (tape.mid - bid) / tape.mid * BP, (ask - tape.mid) / tape.mid * BP


def depth_within(tape: BookTape, bp: float) -> tuple[Values, Values]:
    """Size of (bids, asks) no further than `bp` basis points from the mid, each of shape (n,).

    A tape knows its best K levels only: where `reach_bp` is less than `bp` this is a lower bound.
    """
    mid = tape.mid[:, None]
    reach = bp / BP * mid * (1 + 1e-12)  # a level exactly on the border belongs inside, whatever the rounding
    bid = np.where(mid - tape.bid_prices <= reach, tape.bid_sizes, 0.0).sum(axis=1)
    ask = np.where(tape.ask_prices - mid <= reach, tape.ask_sizes, 0.0).sum(axis=1)
    unknown = np.isnan(tape.mid)
    return np.where(unknown, np.nan, bid), np.where(unknown, np.nan, ask)


def queue_imbalance(tape: BookTape, levels: int = 1) -> Values:
    """(bid size - ask size) / (bid size + ask size) over the best `levels`, shape (n,), from -1 to 1.

    A side that is empty counts as 0; NaN when both are. Raises DataError unless the tape has that many levels.
    """
    _require(tape, levels)
    return book_measures.imbalance(sides_of(tape).top(levels))


def order_flow_imbalance(tape: BookTape, *, level: int = 1, rows: int = 1) -> Values:
    """Net size that came to the bid and left the ask from one row to the next, added up over `rows`, shape (n,).

    With best quotes (P, q) the event contributes
    e = 1[Pb >= Pb'] qb - 1[Pb <= Pb'] qb' - 1[Pa <= Pa'] qa + 1[Pa >= Pa'] qa', a prime meaning the row before.
    NaN until `rows` such events of one segment are there.

    Source: Cont, Kukanov and Stoikov, "The Price Impact of Order Book Events", Journal of Financial Econometrics 12(1),
    2014, section 2; at deeper levels as in Xu, Gould and Howison, "Multi-Level Order-Flow Imbalance", 2018.
    """
    _require(tape, level)
    bid, bid_size = tape.bid_prices[:, level - 1], tape.bid_sizes[:, level - 1]
    ask, ask_size = tape.ask_prices[:, level - 1], tape.ask_sizes[:, level - 1]
    event = np.full(len(tape), np.nan)
    event[1:] = (
        (bid[1:] >= bid[:-1]) * bid_size[1:] - (bid[1:] <= bid[:-1]) * bid_size[:-1]
        - (ask[1:] <= ask[:-1]) * ask_size[1:] + (ask[1:] >= ask[:-1]) * ask_size[:-1]
    )  # fmt: skip
    event[1:][tape.segment[1:] != tape.segment[:-1]] = np.nan
    return rolling_sum(event, rows)


def slope(tape: BookTape, levels: int = 10) -> tuple[Values, Values]:
    """How fast size adds up away from the mid on the (bid, ask) side: base units a basis point, each of shape (n,).

    The least-squares line through the origin of cumulated size over distance, taken over the best `levels` there are.
    """
    _require(tape, levels)
    return book_measures.slopes(sides_of(tape).top(levels))


def realised_volatility(tape: BookTape, rows: int) -> Values:
    """Root of the summed squared logarithmic moves of the mid over the last `rows` moves, in basis points, shape (n,).

    NaN until there are that many moves in the segment. The moves are those of the tape's rows: for a figure per second,
    sample the tape evenly first.
    """
    move = np.full(len(tape), np.nan)
    move[1:] = np.diff(np.log(tape.mid))
    move[1:][tape.segment[1:] != tape.segment[:-1]] = np.nan
    return np.sqrt(rolling_sum(move**2, rows)) * BP


def book_features(tape: BookTape, config: BookFeaturesConfig | None = None) -> tuple[tuple[str, ...], Values]:
    """Names and values of all features, float64 of shape (n, number of names).

    Prices do not appear as such: the microprice is given in basis points from the mid, sizes as logarithms, slopes as
    the logarithm of their ratio, so that instruments can be compared. Raises DataError for more levels than there are.
    """
    config = config or BookFeaturesConfig()
    columns: dict[str, Values] = {
        "spread_bp": spread_bp(tape),
        "microprice_bp": book_measures.microprice_bp(sides_of(tape)),
    }
    for levels in config.imbalance_levels:
        columns[f"imbalance_{levels}"] = queue_imbalance(tape, levels)
    for bp in config.depth_bp:
        for side, depth in zip(("bid", "ask"), depth_within(tape, bp), strict=True):
            columns[f"{side}_depth_{bp:g}bp_log"] = np.log1p(depth)
    for rows in config.flow_rows:
        columns[f"flow_imbalance_{rows}"] = order_flow_imbalance(tape, rows=rows)
    _require(tape, config.slope_levels)
    columns["slope_log_ratio"] = book_measures.slope_log_ratio(sides_of(tape).top(config.slope_levels))
    columns[f"realised_volatility_{config.volatility_rows}"] = realised_volatility(tape, config.volatility_rows)
    return tuple(columns), np.column_stack(list(columns.values()))


def rolling_sum(values: Values, rows: int) -> Values:
    """Sum of the last `rows` values, shape as `values`; NaN while one of them is NaN or missing.

    Each sum is made of its own values only, so that nothing outside can leave a trace of rounding in it.
    """
    if rows < 1:
        raise DataError(f"A rolling sum needs at least 1 row, was {rows}.", remedy="Give 1 or more.")
    out = np.full(len(values), np.nan)
    if len(values) >= rows:
        windows: Callable[..., Values] = np.lib.stride_tricks.sliding_window_view
        out[rows - 1 :] = windows(values, rows).sum(axis=-1)
    return out


def _require(tape: BookTape, levels: int) -> None:
    if not 1 <= levels <= tape.levels:
        raise DataError(
            f"{tape.symbol}: the tape has {tape.levels} levels a side, the feature needs {levels}.",
            remedy=f"Ask for 1 to {tape.levels}, or read the source with more levels.",
        )
