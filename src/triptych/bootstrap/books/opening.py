"""Files of order books as training sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from triptych.domain.errors import DataError
from triptych.market.books import BookTape, Trades, detect, read_books, read_fi2010, read_trades
from triptych.market.books.belonging import books_of_trades
from triptych.settings.books import BookRecipe
from triptych.training.books import BookHistory, history_of_fi2010, history_of_tape


def open_histories(files: Sequence[Path], recipe: BookRecipe) -> list[BookHistory]:
    """One history a file; files of FI-2010 follow one another in the order given.

    Raises DataError for no file, a file that is no order book, or FI-2010 together with books that have prices.
    """
    if not files:
        raise DataError("No file of order books was given.", remedy="Name at least one with --data.")
    kinds = [detect(path) == "fi2010" for path in files]
    if any(kinds) and not all(kinds):
        raise DataError(
            "Files of FI-2010 have no times and no prices, and do not go together with other books.",
            remedy="Train on one kind at a time.",
        )
    histories: list[BookHistory] = []
    for path in files:
        if kinds[0]:
            start = int(histories[-1].time_ms[-1]) + 1 if histories else 0
            history = history_of_fi2010(
                read_fi2010(path), recipe.target, name=path.name, levels=recipe.data.levels, first_event=start
            )
        else:
            history = history_of_tape(
                read_books(path, every_ms=recipe.data.every_ms), recipe.target, levels=recipe.data.levels,
                across_days=recipe.data.across_days,
            )  # fmt: skip
        histories.append(history)
    return histories


def open_with_trades(
    books: Path, trades: Path | None, *, every_ms: int | None = None, symbol: str | None = None
) -> tuple[BookTape, Trades | None, str]:
    """A recording of order books with the trades of the same instrument and time beside it.

    Args:
        books: of any format that `read_books` knows.
        trades: of any that `read_trades` knows; None: none.
        every_ms: one book every so many milliseconds, see `read_books`.
        symbol: which instrument, where a file holds several; also of what both are, where a file does not say.

    Returns:
        The books of which trades are told, the trades, and in words which books were left out; empty: none.

    Raises DataError for trades of another instrument or time, and what the readers raise.
    """
    tape = read_books(books, symbol=symbol, every_ms=every_ms)
    if trades is None:
        return tape, None, ""
    beside = read_trades(trades, symbol=symbol)
    tape, note = books_of_trades(tape, beside)
    return tape, beside, note


def hash_of(histories: Sequence[BookHistory]) -> str:
    """SHA-256 of all rows with their times."""
    digest = hashlib.sha256()
    for one in histories:
        digest.update(one.symbol.encode())
        digest.update(one.time_ms.tobytes())
        digest.update(one.rows.tobytes())
        digest.update(one.labels.tobytes())
    return digest.hexdigest()
