"""What a venue says of orders, positions and itself: the raw material from which events are made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from triptych.domain.order import Side


class OrderStatus(StrEnum):
    """Where an order stands at the venue. The last three are final."""

    UNTRIGGERED = "untriggered"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Whether nothing can be filled any more."""
        return self in (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReport:
    """An order as the venue knows it.

    A cancelled or rejected order may have been filled in part: `filled` counts, whatever the status says.

    Attributes:
        order_id: ours; empty for an order that was not sent with one.
        venue_id: the venue's.
        quantity, filled: base units.
        updated_ms: when the venue changed it last, UTC milliseconds.
        reason: the venue's words for a cancellation or rejection.
        is_protection: whether it is the stop or target of the whole position, which the venue lists as an order: a
            property of the position, whoever has set it, and nobody's order.
    """

    order_id: str
    venue_id: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal
    status: OrderStatus
    updated_ms: int
    reduce_only: bool = False
    reason: str = ""
    is_protection: bool = False

    @property
    def _rank(self) -> tuple[Decimal, bool, int]:
        return self.filled, self.status.is_final, self.updated_ms

    def newer(self, other: OrderReport | None) -> OrderReport:
        """The later of two reports about one order, in whatever order they came in.

        What was filled never shrinks and what is final stays final, so these decide before the venue's clock does; a
        final report of less than was filled keeps its status and takes the larger amount.
        """
        if other is None or other == self:
            return self
        first, second = sorted((self, other), key=lambda one: one._rank)
        if first.status.is_final and not second.status.is_final:
            return OrderReport(
                order_id=first.order_id or second.order_id, venue_id=first.venue_id or second.venue_id,
                symbol=first.symbol, side=first.side, quantity=first.quantity, filled=second.filled,
                status=first.status, updated_ms=max(first.updated_ms, second.updated_ms),
                reduce_only=first.reduce_only, reason=first.reason, is_protection=first.is_protection,
            )  # fmt: skip
        return second


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionReport:
    """A position as the venue holds it. `quantity` is signed; `stop_loss` and `take_profit` lie at the venue.

    `sequence` rises with every change, where the venue numbers them: two changes can share a millisecond.
    """

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    updated_ms: int
    sequence: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WalletReport:
    """Money of the account in quote currency."""

    currency: str
    equity: Decimal
    balance: Decimal
    updated_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamState:
    """Whether the venue's private stream can be trusted. After an interruption messages are missing: ask again."""

    is_up: bool
    time_ms: int
    reason: str = ""
