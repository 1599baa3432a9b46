"""Which message of a book stream may be applied, and when a book is lost: the rules of the venues, written once.

The live book (`OrderBook`) and the replay of a recorded stream ask the same `Sequencer`, which also counts: the same
stream gives the same book and the same counts in both::

    protocol      rule
    bybit         v5: a delta's `u` is one more than the last; u = 1 is a new book after a restart of the venue's
                  service; `seq` never falls
    binance_usdm  USD-margined futures: after a REST snapshot the first delta has U <= lastUpdateId <= u, each one after
                  it pu = u of the one before; deltas that arrive before the snapshot are kept for it
    rising        Bybit v2 (`cross_seq`): numbers rise, but not by one, so a loss cannot be seen
    none          no numbers: files that somebody else has put in order

A message whose levels cannot be right (`soundness.py`) is not applied, and the book is lost with it. A message that
leaves the best bid at or above the best ask shows that one before it was wrong or is missing: the book is lost, nothing
is given of it, and only a snapshot brings it back. Under `none` there is no snapshot to wait for, and a crossing is an
order that is being matched: the book is not given while it is crossed, and goes on afterwards.
"""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Generic, Literal, NamedTuple, Self, TypeVar

Item = TypeVar("Item")
Protocol = Literal["bybit", "binance_usdm", "rising", "none"]

PENDING_LIMIT: Final = 10_000
"""Deltas kept for a snapshot that is on its way; the oldest fall out beyond it."""


class BookStatus(StrEnum):
    """What became of a message.

    `APPLIED` and `RESET` changed the book. `STALE` (older than the book) and `WAITING` (no snapshot yet) did not, and
    nothing is wrong. After `GAP` (a message is missing), `CROSSED` (best bid not below best ask) and `INVALID` (a size
    below zero, a price twice) the book cannot be trusted: it needs a new snapshot. (A crossing under the protocol
    `none` passes by itself.)
    """

    APPLIED = "applied"
    RESET = "reset"
    STALE = "stale"
    WAITING = "waiting"
    GAP = "gap"
    CROSSED = "crossed"
    INVALID = "invalid"

    @property
    def needs_resync(self) -> bool:
        """Whether a new snapshot must be fetched, or the stream subscribed again."""
        return self in (BookStatus.GAP, BookStatus.CROSSED, BookStatus.INVALID)


class UpdateIds(NamedTuple):
    """The numbers of a message; see `BookUpdate`."""

    is_snapshot: bool
    update_id: int | None = None
    first_update_id: int | None = None
    previous_update_id: int | None = None
    sequence: int | None = None


class Ruling(NamedTuple, Generic[Item]):
    """What to do with a message: apply `items` in order (the first one resets the book where `status` is RESET).

    A tuple: there are thousands a second.
    """

    status: BookStatus
    items: Sequence[Item] = ()
    reason: str = ""


class Sequencer(Generic[Item]):
    """Takes every message of one book's stream in the order of arrival, says which to apply, and counts.

    `Item` is whatever stands for a message: the update itself, or its row in a recording. State: the numbers of the
    last message applied, and on Binance the deltas that wait for a snapshot. Who applies what `offer` hands out asks
    whether the book is crossed then, and if so says it by `cross`.

    Attributes:
        counts: what became of the messages so far; each counts once.
        is_synchronised: whether the book is known to be whole.
        stretches: how many unbroken stretches have begun, see `_snapshot`; the book belongs to the last of them.
        update_id, sequence: numbers of the last message applied.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.counts: Counter[BookStatus] = Counter()
        self.is_synchronised = False
        self.stretches = 0
        self._latest = BookStatus.WAITING
        self.update_id: int | None = None
        self.sequence: int | None = None
        self._after_snapshot = False
        self._pending: deque[tuple[UpdateIds, Item]] = deque(maxlen=PENDING_LIMIT)

    @property
    def outlives_crossing(self) -> bool:
        """Whether a crossed book is one in which an order is being matched, and goes on."""
        return self.protocol == "none"

    def offer(self, ids: UpdateIds, item: Item, problem: str = "") -> Ruling[Item]:
        """Judge one message; `problem` says in words what is wrong with its levels, empty when nothing is."""
        if problem:
            self._lose()
            ruling: Ruling[Item] = Ruling(status=BookStatus.INVALID, reason=problem)
        else:
            ruling = self._rule(ids, item)
        self.counts[ruling.status] += 1
        self._latest = ruling.status
        return ruling

    def cross(self) -> None:
        """The book is crossed after the items of the latest ruling: its message counts as `CROSSED` instead."""
        self.counts[self._latest] -= 1
        self.counts[BookStatus.CROSSED] += 1
        self.counts = +self.counts
        if not self.outlives_crossing:
            self._lose()

    def begins_book(self, ids: UpdateIds) -> bool:
        """Whether a message of these numbers can begin a new book."""
        return ids.is_snapshot or (self.protocol == "bybit" and ids.update_id == 1)

    def copy(self) -> Self:
        """One that goes on from the same state."""
        other = copy.copy(self)
        other.counts, other._pending = self.counts.copy(), self._pending.copy()
        return other

    def _rule(self, ids: UpdateIds, item: Item) -> Ruling[Item]:
        if self.begins_book(ids):
            return self._snapshot(ids, item)
        if not self.is_synchronised:
            if self.protocol == "binance_usdm":
                self._pending.append((ids, item))
            return Ruling(status=BookStatus.WAITING, reason="no snapshot yet")
        status, reason = self._judge(ids)
        if status is BookStatus.APPLIED:
            self._accept(ids)
            return Ruling(status=status, items=(item,))
        if status is BookStatus.GAP:
            self._lose()
            if self.protocol == "binance_usdm":
                self._pending.append((ids, item))
        return Ruling(status=status, reason=reason)

    def _lose(self) -> None:
        """Forget the book: the next thing it needs is a snapshot."""
        self.is_synchronised = False
        self._pending.clear()

    def _snapshot(self, ids: UpdateIds, item: Item) -> Ruling[Item]:
        if self._is_old_snapshot(ids):
            return Ruling(status=BookStatus.STALE, reason=f"snapshot with seq {ids.sequence} after {self.sequence}")
        goes_on = self._goes_on(ids)
        self.is_synchronised = True
        self.update_id, self.sequence = ids.update_id, ids.sequence
        self._after_snapshot = True
        items = [item]
        waiting = list(self._pending)
        self._pending.clear()
        for position, (waiting_ids, waiting_item) in enumerate(waiting):
            status, reason = self._judge(waiting_ids)
            if status is BookStatus.APPLIED:
                self._accept(waiting_ids)
                items.append(waiting_item)
            elif status is BookStatus.GAP:
                self._lose()
                self._pending.extend(waiting[position:])
                return Ruling(status=status, reason=f"{reason}; the snapshot is older than the stream")
        self.stretches += not goes_on
        return Ruling(status=BookStatus.RESET, items=items)

    def _goes_on(self, ids: UpdateIds) -> bool:
        """Whether a snapshot belongs to the stretch before it.

        In the middle of a stream it says nothing of what came before it, unless its number shows that nothing is
        missing: the recording may have stood still for an hour. Bybit's u = 1 is a new book.
        """
        if not self.is_synchronised or self.update_id is None or ids.update_id is None:
            return False
        return ids.update_id <= self.update_id + 1 and not (self.protocol == "bybit" and ids.update_id == 1)

    def _is_old_snapshot(self, ids: UpdateIds) -> bool:
        """A snapshot delivered late must not turn back a book that is ahead of it."""
        if not self.is_synchronised:
            return False
        if self.protocol == "binance_usdm":
            return _below(ids.update_id, self.update_id)
        return self.protocol == "bybit" and ids.update_id != 1 and _below(ids.sequence, self.sequence)

    def _accept(self, ids: UpdateIds) -> None:
        self._after_snapshot = False
        self.update_id = ids.update_id
        if ids.sequence is not None:
            self.sequence = ids.sequence

    def _judge(self, ids: UpdateIds) -> tuple[BookStatus, str]:
        if self.protocol == "bybit":
            return self._judge_bybit(ids)
        if self.protocol == "binance_usdm":
            return self._judge_binance(ids)
        if self.protocol == "rising" and self.sequence is not None and not _below(self.sequence, ids.sequence):
            return BookStatus.STALE, f"sequence {ids.sequence} after {self.sequence}"
        return BookStatus.APPLIED, ""

    def _judge_bybit(self, ids: UpdateIds) -> tuple[BookStatus, str]:
        new, last = ids.update_id, self.update_id
        if new is None or last is None:
            return BookStatus.GAP, "a message without update id"
        if new <= last:
            return BookStatus.STALE, f"update {new} after {last}"
        if new > last + 1:
            return BookStatus.GAP, f"update {new} after {last}: {new - last - 1} missing"
        if _below(ids.sequence, self.sequence):
            return BookStatus.GAP, f"update {new} follows {last}, but seq fell from {self.sequence} to {ids.sequence}"
        return BookStatus.APPLIED, ""

    def _judge_binance(self, ids: UpdateIds) -> tuple[BookStatus, str]:
        new, last, previous = ids.update_id, self.update_id, ids.previous_update_id
        if new is None or last is None or previous is None:
            return BookStatus.GAP, "a message without update ids"
        if previous == last:
            return BookStatus.APPLIED, ""
        if self._after_snapshot:
            if new < last:
                return BookStatus.STALE, f"update {new} is older than the snapshot {last}"
            if ids.first_update_id is not None and ids.first_update_id <= last:
                return BookStatus.APPLIED, ""
            return BookStatus.GAP, f"update {ids.first_update_id}..{new} does not reach back to the snapshot {last}"
        if new <= last:
            return BookStatus.STALE, f"update {new} after {last}"
        return BookStatus.GAP, f"update {new} follows {previous}, but the last one was {last}"


def _below(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and a < b
