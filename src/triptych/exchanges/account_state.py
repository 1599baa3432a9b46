"""What a venue has said of an account, joined so that the order, repetition and loss of messages do not matter.

Every part only ever grows: an order along (filled, final, time), fills and payments as sets, a position and a wallet
along the venue's own numbering. Whatever was lost comes back by asking the venue and applying its answers here.
"""

from __future__ import annotations

from decimal import Decimal

from triptych.domain import FundingPaid, OrderFilled, OrderReport, PositionReport, WalletReport

ZERO = Decimal(0)
AccountMessage = OrderReport | OrderFilled | FundingPaid | PositionReport | WalletReport


class AccountState:
    """The account as far as it is known.

    Attributes:
        orders: by the venue's id.
        fills: by execution id, in the order in which they were first heard of.
        funding: by symbol and time.
        positions: by symbol.
        wallets: by currency.
    """

    def __init__(self) -> None:
        self.orders: dict[str, OrderReport] = {}
        self.fills: dict[str, OrderFilled] = {}
        self.funding: dict[tuple[str, int], FundingPaid] = {}
        self.positions: dict[str, PositionReport] = {}
        self.wallets: dict[str, WalletReport] = {}

    def apply(self, message: AccountMessage) -> bool:
        """Join one message with what is known. Returns whether it said anything new."""
        if isinstance(message, OrderReport):
            known = self.orders.get(message.venue_id)
            joined = message.newer(known)
            self.orders[message.venue_id] = joined
            return joined != known
        if isinstance(message, OrderFilled):
            is_new = message.fill_id not in self.fills
            self.fills.setdefault(message.fill_id, message)
            return is_new
        if isinstance(message, FundingPaid):
            key = (message.symbol, message.time_ms)
            is_new = key not in self.funding
            self.funding.setdefault(key, message)
            return is_new
        if isinstance(message, PositionReport):
            held = self.positions.get(message.symbol)
            if held is not None and _position_rank(message) <= _position_rank(held):
                return False
            self.positions[message.symbol] = message
            return True
        wallet = self.wallets.get(message.currency)
        if wallet is not None and _wallet_rank(message) <= _wallet_rank(wallet):
            return False
        self.wallets[message.currency] = message
        return True

    def open_orders(self, symbol: str) -> list[OrderReport]:
        """Orders of an instrument that are not final, oldest change first."""
        found = [order for order in self.orders.values() if order.symbol == symbol and not order.status.is_final]
        return sorted(found, key=lambda order: (order.updated_ms, order.venue_id))

    def filled(self, order_id: str) -> Decimal:
        """Base units filled of our order, by its reports or its executions, whichever know of more."""
        reported = max((one.filled for one in self.orders.values() if one.order_id == order_id), default=ZERO)
        return max(reported, sum((one.quantity for one in self.fills.values() if one.order_id == order_id), ZERO))

    def same_as(self, other: AccountState) -> bool:
        """Whether both know the same, in whatever order they learned it."""
        return (
            self.orders == other.orders
            and self.fills == other.fills
            and self.funding == other.funding
            and self.positions == other.positions
            and self.wallets == other.wallets
        )


def _position_rank(one: PositionReport) -> tuple[int, int, Decimal, Decimal, Decimal, Decimal]:
    """The numbers behind the venue's own decide ties, so that the outcome never depends on who came first."""
    stop, target = one.stop_loss or ZERO, one.take_profit or ZERO
    return one.updated_ms, one.sequence, one.quantity, one.entry_price, stop, target


def _wallet_rank(one: WalletReport) -> tuple[int, Decimal, Decimal]:
    return one.updated_ms, one.balance, one.equity
