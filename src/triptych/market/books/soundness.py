"""What is wrong with the levels of a message, of one message or of a whole recording.

A price is above 0 and finite, a size at least 0 and finite, and a price stands once a side: of two sizes for one price
nobody knows which holds. Under the protocol `none` a price may stand twice: whoever put the file in order wrote its
rows one after the other, several of one moment become one message, and the later row holds.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from itertools import islice
from operator import eq
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BookUpdate
from triptych.market.books.events import BookEvents
from triptych.market.books.sequence import Protocol

Levels = tuple[tuple[Decimal, Decimal], ...]
_ZERO: Final = Decimal(0)
_INFINITY: Final = Decimal("Infinity")


def problem_of(update: BookUpdate, protocol: Protocol) -> str:
    """What is wrong with the levels of a message, in words; empty when nothing is."""
    for name, levels in (("bid", update.bids), ("ask", update.asks)):
        if _is_sound(levels):
            continue
        try:
            for price, size in levels:
                if not _ZERO < price < _INFINITY or not _ZERO <= size < _INFINITY:
                    return f"{name} of size {size} at price {price}"
        except InvalidOperation:
            return f"{name} of size {size} at price {price}"
        if protocol != "none" and len(dict(levels)) != len(levels):
            return f"a {name} price stands twice in one message"
    return ""


def unsound_messages(events: BookEvents) -> NDArray[np.bool_]:
    """Whether anything is wrong with the levels of each message, bool of shape (messages,): `problem_of` of all."""
    message = np.repeat(np.arange(len(events)), np.diff(events.level_start))
    wrong = ~((events.sizes >= 0) & (events.sizes < np.inf)) | (events.price_ticks <= 0)
    is_wrong = np.zeros(len(events), dtype=np.bool_)
    is_wrong[message[wrong]] = True
    if events.protocol != "none":
        order = np.lexsort((events.price_ticks, events.is_ask, message))
        keys = [column[order] for column in (message, events.is_ask, events.price_ticks)]
        twice = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
        is_wrong[keys[0][1:][twice]] = True
    return is_wrong


def _is_sound(levels: Levels) -> bool:
    """Whether nothing is wrong, told by comparisons alone: levels mostly come sorted, so sorting them costs little."""
    if not levels:
        return True
    try:
        prices = sorted([price for price, _ in levels])
        sizes = [size for _, size in levels]
        return (
            prices[0] > _ZERO
            and prices[-1] < _INFINITY
            and min(sizes) >= _ZERO
            and max(sizes) < _INFINITY
            and not any(map(eq, prices, islice(prices, 1, None)))
        )
    except InvalidOperation:
        return False
