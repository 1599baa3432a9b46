"""Tapes of `triptych data record`: the order-book messages among all that a venue said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from triptych.domain import BookUpdate
from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books.events import BookEvents, events_of, join_events
from triptych.market.books.formats.bybit import parse_message
from triptych.market.books.formats.lines import MESSAGE_ERRORS
from triptych.market.tapes import read_about, read_tape

CHUNK_MESSAGES: Final = 20_000
"""Messages that are held one by one; those before them lie in columns."""
_BOOK: Final = "orderbook."


def read_tape_events(folder: Path, *, symbol: str | None = None) -> BookEvents:
    """The messages of one instrument's book, of the deepest book that was recorded.

    Raises DataError for a tape that is damaged, or holds no books, those of several instruments when none was named, or
    none of the one named; NotEnoughData when no message has come yet.
    """
    depths: dict[str, int] = {}
    for topic in read_about(folder).topics:
        if topic.startswith(_BOOK):
            _, depth, name = topic.split(".", 2)
            depths[name] = max(depths.get(name, 0), int(depth))
    if not depths:
        raise DataError(f"{folder} holds no order books.", remedy="Record them: `triptych data record --stream book`.")
    if symbol is None and len(depths) > 1:
        raise DataError(f"{folder} holds order books of {', '.join(depths)}.", remedy="Say which: symbol=NAME.")
    chosen = symbol or next(iter(depths))
    if chosen not in depths:
        raise DataError(f"{folder} holds no order books of {chosen}.", remedy=f"It holds {', '.join(depths)}.")
    parts: list[BookEvents] = []
    waiting: list[BookUpdate] = []
    for update in _updates(folder, f"{_BOOK}{depths[chosen]}.{chosen}"):
        waiting.append(update)
        if len(waiting) == CHUNK_MESSAGES:
            parts.append(events_of(waiting, symbol=chosen, protocol="bybit"))
            waiting = []
    if waiting:
        parts.append(events_of(waiting, symbol=chosen, protocol="bybit"))
    if not parts:
        raise NotEnoughData(
            f"{folder} holds no message of the order book of {chosen} yet.", remedy="Record for longer."
        )
    return join_events(parts)


def _updates(folder: Path, topic: str) -> Iterator[BookUpdate]:
    for entry in read_tape(folder):
        if entry.topic != topic:
            continue
        try:
            yield parse_message(dict(entry.content), local_time_ns=entry.time_ns)
        except MESSAGE_ERRORS as error:
            raise DataError(
                f"{folder}: a message of {topic} cannot be understood: {error!r}.",
                remedy="Report it with the segment of the tape.",
            ) from error
