"""From the wanted exposure to orders: cut to the room that is left, planned by execution, each reviewed by risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triptych.domain import OrderDenied, SubmitOrder
from triptych.trading import execution
from triptych.trading.desk import Desk
from triptych.trading.desk_sizer import DeskSizer
from triptych.trading.money import OthersHeld
from triptych.trading.portfolio import Portfolio
from triptych.trading.risk import Aftermath, RiskManager
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
        true_range = 0.0
        if desk.executor.needs_average_true_range and exposure:
            values = desk.window.last(self.config.atr_length + 1)
            if values is None:
                return Ordered(note="; no order: the average true range is not known yet")
            true_range = average_true_range(values)
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

    def _others(self, symbol: str) -> OthersHeld:
        notionals = []
        for other, desk in self.desks.items():
            quantity = self.portfolio.position(other).quantity
            if other != symbol and (quantity or desk.orders):
                notionals.append(float(quantity + desk.under_way()) * self.portfolio.last_mark(other))
        return OthersHeld.of(notionals)
