"""A journal gone on with under fewer instruments: those that are flat are let go, the others are not forgotten."""

from __future__ import annotations

from collections.abc import Callable

from triptych.domain.errors import DataError
from triptych.live.books import Books


def let_go(books: Books, tell: Callable[[str, str], None] = lambda _text, _symbol: None) -> None:
    """Recover the books and look at the instruments of the journal that the engine does not trade.

    `tell` is told in words, with the symbol, of each that is let go. Raises DataError when something is held in one, or
    an order of it is under way: nobody would look after it.
    """
    books.recover()
    engine = books.engine
    for symbol in engine.dropped:
        held = engine.portfolio.position(symbol).quantity
        orders = [order.order_id for order in books.under_way if order.symbol == symbol]
        if held or orders:
            what = f"holds {held.normalize():f} {symbol}" if held else f"has {', '.join(orders)} under way"
            raise DataError(
                f"The journal {what}, and {symbol} is not among the instruments of this start.",
                remedy=f"Trade it as well (--symbol {symbol}), or close it at the venue and run `triptych reconcile "
                f"{books.journal.place} --venue VENUE --repair --adopt`, then start again.",
            )
        tell(f"{symbol} is not traded any more; the journal holds nothing of it", symbol)
