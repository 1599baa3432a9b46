"""Whether trades belong to order books: of one instrument, by name and by price, and of one time."""

from __future__ import annotations

from typing import Final

import numpy as np

from triptych.domain import utc
from triptych.domain.errors import DataError
from triptych.market.books.sampling import sample_at
from triptych.market.books.tape import BookTape
from triptych.market.books.trades import Trades

FARTHEST: Final = 0.05
"""Largest usual distance of the mid from prices beside it, as a fraction; beyond it they are another instrument's."""
OLDEST_MS: Final = 5_000
"""A book last seen longer before a trade says nothing of its price."""
UNTOLD: Final = 0.05
"""Share of the books' time, at either end, in which no trade is told, up to which nobody needs to hear of it."""


def same_symbol(one: str, other: str) -> bool:
    """Whether two names are of one instrument: letters and digits alike, whatever stands between them."""
    return _plain(one) == _plain(other)


def refuse_foreign_trades(tape: BookTape, trades: Trades) -> None:
    """Raise DataError for trades of another instrument or another time than the books; no trades at all are none.

    Another instrument is told by its name, and by its prices: in the median they lie more than 5 % from the mid of
    the book that stood when they were made.
    """
    if not same_symbol(tape.symbol, trades.symbol):
        raise DataError(
            f"The order books are of {tape.symbol}, and the trades of {trades.symbol}.",
            remedy=f"Bring the trades of {tape.symbol}. If these are, and only a file is called otherwise, say of what "
            "both are: --symbol NAME, or symbol= of the readers.",
        )
    if not len(trades) or not len(tape):
        return
    inside = (trades.time_ms >= tape.time_ms[0] - OLDEST_MS) & (trades.time_ms <= tape.time_ms[-1] + OLDEST_MS)
    if not inside.any():
        raise DataError(
            f"{tape.symbol}: no trade falls into the time of the order books: these are from {_span(tape.time_ms)}, "
            f"and the trades from {_span(trades.time_ms)} UTC.",
            remedy="Bring books and trades of the same time.",
        )
    mid = sample_at(tape, trades.time_ms[inside], OLDEST_MS).tape.mid
    known = np.isfinite(mid)
    if not known.any():
        return
    price = trades.price[inside][known]
    away = float(np.median(np.abs(mid[known] / price - 1.0)))
    if away > FARTHEST:
        raise DataError(
            f"{tape.symbol}: the mid of the order books lies {away:.0%} from the price of the trades in the median, "
            f"such as {mid[known][0]:g} at a trade at {price[0]:g}.",
            remedy="The trades are of another instrument, or their times are not UTC: bring those of the books.",
        )


def books_of_trades(tape: BookTape, trades: Trades) -> tuple[BookTape, str]:
    """The books of the time of which trades are told, and what is to be said of the others; empty: nothing.

    A recording of trades that begins later than the books, or ends earlier, would make a wall that was filled then look
    pulled. Silence at either end is loss when it is longer than every silence between two trades and than a twentieth
    of the books' time.

    Raises what `refuse_foreign_trades` raises.
    """
    refuse_foreign_trades(tape, trades)
    if not len(trades) or not len(tape):
        return tape, ""
    length = int(tape.time_ms[-1] - tape.time_ms[0])
    longest = max(int(np.diff(trades.time_ms).max(initial=0)), UNTOLD * length)
    first, last = int(trades.time_ms[0]), int(trades.time_ms[-1])
    start = 0 if first - tape.time_ms[0] <= longest else int(np.searchsorted(tape.time_ms, first))
    stop = len(tape) if tape.time_ms[-1] - last <= longest else int(np.searchsorted(tape.time_ms, last, "right"))
    if start == 0 and stop == len(tape):
        return tape, ""
    return tape.between(start, stop), (
        f"{tape.symbol}: the books are from {_span(tape.time_ms)}, and the trades from {_span(trades.time_ms)} UTC; of "
        f"the {len(tape):,} books, the {len(tape) - (stop - start):,} of which no trade is told are left out."
    )


def _plain(symbol: str) -> str:
    return "".join(letter for letter in symbol.upper() if letter.isalnum())


def _span(time_ms: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    return f"{utc(int(time_ms[0]))} to {utc(int(time_ms[-1]))}"
