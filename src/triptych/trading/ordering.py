"""From the wanted exposure to orders: cut to the room that is left, planned by execution, each reviewed by risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from triptych.domain import CLOSE, OrderDenied, Side, SubmitOrder
from triptych.trading import execution
from triptych.trading.desk import Desk
from triptych.trading.desk_sizer import DeskSizer
from triptych.trading.money import OthersHeld
from triptych.trading.portfolio import Portfolio
from triptych.trading.risk import Aftermath, RiskManager
from triptych.trading.trailing import Trail
from triptych.trading.volatility import average_true_range


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordered:
    """What one decision orders: what is sent, what risk has denied, and what the decision's reason has to add."""

    orders: tuple[SubmitOrder, ...] = ()
    denials: tuple[OrderDenied, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordering:
    """Makes orders for one desk, with an eye on what all others hold.

    Attributes:
        desks: all of the engine, by symbol.
        portfolio, sizer, risk, config: of the engine.
    """

    desks: Mapping[str, Desk]
    portfolio: Portfolio
    sizer: DeskSizer
    risk: RiskManager
    config: execution.Config

    def orders(
        self, desk: Desk, *, exposure: float, current: float, equity: float, price: float, reason: str
    ) -> Ordered:
        """The orders of one decision; those that are sent are under way at the desk from here on.

        Args:
            desk: of the instrument.
            exposure, current: wanted and held, signed notional / equity.
            equity: quote currency.
            price: close that was decided on.
            reason: of the decision so far.
        """
        symbol, notes, others = desk.instrument.symbol, list[str](), OthersHeld()
        if exposure and equity > 0:
            others = self._others(symbol)
            cut = self.sizer.cut_to_room(exposure, current, others.gross / equity)
            if cut != exposure and desk.executor.is_settled(cut, current):
                return Ordered(note="; no order: the other instruments leave no room within the leverage")
            exposure, limited = self.risk.cut_to_room(cut, current=current, equity=equity, others=others)
            if limited and desk.executor.is_settled(exposure, current):
                return Ordered(note=f"{limited}; no order: there is no room for more")
            notes.append(limited)
        true_range = self._true_range(desk) if exposure else 0.0
        if true_range is None:
            return Ordered(note="; no order: the average true range is not known yet")
        held = self.portfolio.position(symbol).quantity
        planned, note = desk.executor.plan(
            quantity=held, exposure=exposure, equity=equity, price=price, average_true_range=true_range,
            time_ms=desk.last_close_ms, reason=reason,
        )  # fmt: skip
        notes.append(f"; {note}" if note else "")
        sent, denials = list[SubmitOrder](), list[OrderDenied]()
        for order in planned:
            held += order.side.sign * order.quantity
            after = Aftermath(price=price, position=float(held) * price, equity=equity, others=others)
            denial = self.risk.review(order, after)
            if denial is None:
                desk.orders[order.order_id] = (order, order.quantity)
                sent.append(order)
            else:
                notes.append(f"; order denied: {denial.reason}")
                denials.append(denial)
        return Ordered(orders=tuple(sent), denials=tuple(denials), note="".join(notes))

    def protect(self, desk: Desk, stop_loss: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
        """Stop and target of a position that no order of ours has opened: those of an entry at the last close.

        `stop_loss` is that which lies at the venue already: it stays where the recipe sets one. The desk trails it
        where the recipe says so.
        """
        held, price = self.portfolio.position(desk.instrument.symbol).quantity, desk.window.last(1)
        true_range = self._true_range(desk)
        if not held or price is None or true_range is None:
            return None, None
        close, side = float(price[0, CLOSE]), Side.BUY if held > 0 else Side.SELL
        stop, target, distance = desk.executor.protection(side, close, true_range)
        if stop is not None and stop_loss is not None:
            stop = stop_loss
        if distance is not None and stop is not None and desk.trail is None:
            desk.trail = Trail(
                order_id="adopted", sign=side.sign, distance=float(distance), best=close, stop=stop, is_new=False,
                seen_ms=desk.last_close_ms,
            )  # fmt: skip
        return stop, target

    def _true_range(self, desk: Desk) -> float | None:
        """The average true range where stops are measured by it, else 0; None while it is not known."""
        if not desk.executor.needs_average_true_range:
            return 0.0
        values = desk.window.last(self.config.atr_length + 1)
        return None if values is None else average_true_range(values)

    def _others(self, symbol: str) -> OthersHeld:
        notionals = []
        for other, desk in self.desks.items():
            quantity = self.portfolio.position(other).quantity
            if other != symbol and (quantity or desk.orders):
                notionals.append(float(quantity + desk.under_way()) * self.portfolio.last_mark(other))
        return OthersHeld.of(notionals)
