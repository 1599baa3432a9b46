"""The account's side of the server: the venue of the backtest, kept in the form in which Bybit tells it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from triptych.domain import (
    CancelOrder,
    Candle,
    ExchangeEvent,
    FillReason,
    FundingPaid,
    Instrument,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderType,
    SubmitOrder,
)
from triptych.exchanges.bybit.orders import plain
from triptych.exchanges.bybit.words import SIDES
from triptych.exchanges.simulated.costs import Config, decimal
from triptych.exchanges.simulated.rules import too_large
from triptych.exchanges.simulated.server.refusal import Refusal, refuse_unserved
from triptych.exchanges.simulated.server.rows import (
    ZERO,
    OrderRecord,
    announced,
    execution_row,
    funding_row,
    position_row,
    wallet_row,
)
from triptych.exchanges.simulated.server.shelf import Shelf
from triptych.exchanges.simulated.server.standing import StandingStops
from triptych.exchanges.simulated.venue import SimulatedExchange

Told = list[tuple[str, dict[str, Any]]]
"""Messages for the private stream, in order: topic and row."""
_REFUSALS = (
    ("insufficient margin", 110007, "ab not enough for new order"),
    ("reduce-only", 110017, "Reduce-only rule not satisfied"),
    ("notional", 110094, "Order does not meet minimum order value"),
    ("is below the minimum", 10001, "The number of contracts is below the minimum"),
    ("already in use", 110072, "OrderLinkedID is duplicate"),
    ("leverage", 110013, "Leverage is above the limit"),
)


class Desk:
    """Takes orders in the venue's form and keeps the record of them.

    `wire_ms` is the clock of the wire: who asks for the executions of a span of time means the time at which they were
    told, which is not the tape's.
    """

    def __init__(
        self, instruments: Sequence[Instrument], costs: Config, capital: Decimal, wire_ms: Callable[[], int]
    ) -> None:
        self.venue = SimulatedExchange(instruments, costs, capital)
        self.instruments = {one.symbol: one for one in instruments}
        self.orders: dict[str, OrderRecord] = {}
        self.executions: list[dict[str, Any]] = []
        self.told_ms: list[int] = []
        """When each execution was told, by the clock of the wire."""
        self.now_ms = 0
        self.reject_later = 0
        """How many of the next accepted orders are rejected on the stream instead of living."""
        self.reject_rest: set[str] = set()
        """Orders, by their names in the venue, whose unfilled rest makes them rejected instead of cancelled."""
        self.shelf = Shelf()
        self._leverage = decimal(costs.leverage)
        self._wire_ms = wire_ms
        self._linked: dict[str, str] = {}
        self._updated_ms: dict[str, int] = dict.fromkeys(self.instruments, 0)
        self._count = 0
        self._sequence = 0
        self._stops = StandingStops(self._new_id, self._keep)

    def on_candles(self, candles: Sequence[Candle]) -> Told:
        """Let candles happen. Returns what the account's owner is told."""
        held = {symbol: self.venue.position(symbol).quantity for symbol in self.instruments}
        events = self.venue.on_candles(candles)
        self.now_ms = max(one.close_time_ms for one in candles)
        return self._tell(events, held)

    def revise(self, instrument: Instrument) -> None:
        """Hold new orders against these rules."""
        self.instruments[instrument.symbol] = instrument
        self.venue.revise(instrument)

    def create(self, body: Mapping[str, Any]) -> tuple[dict[str, str], Told]:
        """POST /v5/order/create. Raises Refusal."""
        refuse_unserved(body)
        order, link_id = self._order(body)
        self._check_size(order)
        order = self._cut(order)
        if link_id and link_id in self._linked:
            raise Refusal(110072, "OrderLinkedID is duplicate")
        record = OrderRecord(
            venue_id=order.order_id if not link_id else self._new_id(), link_id=link_id, order=order,
            created_ms=self.now_ms, updated_ms=self.now_ms,
        )  # fmt: skip
        if self.reject_later:
            self.reject_later -= 1
            record.status, record.reject_reason = "Rejected", "EC_PerCancelRequest"
        else:
            for event in self.venue.submit(order):
                if isinstance(event, OrderRejected):
                    raise _refusal(event.reason)
        self.orders[record.venue_id] = record
        if link_id:
            self._linked[link_id] = record.venue_id
        return {"orderId": record.venue_id, "orderLinkId": link_id}, [("order", record.row())]

    def amend(self, body: Mapping[str, Any]) -> tuple[dict[str, str], Told]:
        """POST /v5/order/amend: quantity, price, stop or target of an open order. Raises Refusal."""
        record = self.find(body)
        if record is None or not record.is_open:
            raise Refusal(110001, "order not exists or too late to replace")
        order = record.order
        if record.stop_type:
            raise Refusal(10001, "params error: stops are moved by trading-stop on this simulated exchange")
        refuse_unserved({**body, "orderType": "Limit" if order.type is OrderType.LIMIT else "Market"})
        stop, target = _protection(body, order.stop_loss, order.take_profit)
        amended = replace(
            order, quantity=_number(body, "qty") or order.quantity, stop_loss=stop, take_profit=target,
            limit_price=_number(body, "price") or order.limit_price if order.type is OrderType.LIMIT else None,
        )  # fmt: skip
        self._check_size(amended)
        amended = self._cut(amended)
        if amended == order:
            raise Refusal(10001, "The order remains unchanged as the parameters entered match the existing ones.")
        if reason := self.venue.amend(amended):
            raise _refusal(reason)
        record.order, record.updated_ms = amended, self.now_ms
        return {"orderId": record.venue_id, "orderLinkId": record.link_id}, [("order", record.row())]

    def cancel(self, body: Mapping[str, Any]) -> tuple[dict[str, str], Told]:
        """POST /v5/order/cancel. Raises Refusal."""
        record = self.find(body)
        if record is None or not record.is_open:
            raise Refusal(110001, "order not exists or too late to cancel")
        return {"orderId": record.venue_id, "orderLinkId": record.link_id}, self._withdraw(record)

    def cancel_all(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], Told]:
        """POST /v5/order/cancel-all: stops of positions too, unless an `orderFilter` leaves them out."""
        symbol, kind = body.get("symbol"), body.get("orderFilter") or ""
        found = [
            one
            for one in self.orders.values()
            if one.is_open and symbol in (None, one.order.symbol) and not (one.stop_type and kind == "Order")
        ]
        told = [message for record in found for message in self._withdraw(record)]
        listed = [{"orderId": one.venue_id, "orderLinkId": one.link_id} for one in found]
        return {"list": listed, "success": "1"}, told

    def protect(self, body: Mapping[str, Any]) -> Told:
        """POST /v5/position/trading-stop: what is not named stays, 0 takes away. Raises Refusal."""
        refuse_unserved(body)
        symbol = self._symbol(body)
        self.shelf.check(symbol, body)
        stop, target = self.venue.protection(symbol)
        wished = _protection(body, stop, target)
        if wished == (stop, target):
            raise Refusal(34040, "not modified")
        self._check_protection(symbol, *wished)
        self.venue.protect(symbol, stop_loss=wished[0], take_profit=wished[1])
        self._updated_ms[symbol] = self.now_ms
        self._sequence += 1
        return [*self._stand(symbol), ("position", self.position_row(symbol))]

    def _check_protection(self, symbol: str, stop: Decimal | None, target: Decimal | None) -> None:
        quantity, mark = self.venue.position(symbol).quantity, self.venue.mark(symbol)
        if not quantity:
            raise Refusal(10001, "can not set tp/sl/ts for zero position")
        sign = 1 if quantity > 0 else -1
        if stop is not None and (stop - mark) * sign >= 0:
            raise Refusal(10001, f"the stop loss {plain(stop)} is on the wrong side of the price {plain(mark)}")
        if target is not None and (target - mark) * sign <= 0:
            raise Refusal(10001, f"the take profit {plain(target)} is on the wrong side of the price {plain(mark)}")

    def _check_size(self, order: SubmitOrder) -> None:
        """The largest orders are those that the venue announces, for reduce-only orders too, before they are cut."""
        if reason := too_large(order, announced(self.instruments[order.symbol])):
            raise Refusal(10001, f"The number of contracts exceeds maximum limit allowed: {reason}")

    def _cut(self, order: SubmitOrder) -> SubmitOrder:
        """A reduce-only order is cut to the position; one that has nothing to reduce is left to be refused."""
        held = self.venue.position(order.symbol).quantity
        if not order.reduce_only or held * order.side.sign >= 0:
            return order
        return replace(order, quantity=min(order.quantity, abs(held)))

    def held(self, symbol: str) -> Decimal:
        """What is held of an instrument, unsigned."""
        return abs(self.venue.position(symbol).quantity)

    def held_at(self, symbol: str, time_ms: int) -> Decimal:
        """What was held of an instrument at a time of the tape, unsigned."""
        total = ZERO
        for row in self.executions:
            if row["symbol"] == symbol and row["execType"] != "Funding" and int(row["execTime"]) <= time_ms:
                total += SIDES[row["side"]].sign * Decimal(row["execQty"])
        return abs(total)

    def find(self, asked: Mapping[str, Any]) -> OrderRecord | None:
        """An order by its id, else by ours."""
        identifier = asked.get("orderId") or self._linked.get(str(asked.get("orderLinkId") or ""))
        return self.orders.get(str(identifier)) if identifier else None

    def position_row(self, symbol: str) -> dict[str, Any]:
        """The position in the venue's form."""
        return position_row(
            self.venue.position(symbol), self.venue.mark(symbol), self._leverage, self.venue.protection(symbol),
            self._updated_ms[symbol], self._sequence,
        )  # fmt: skip

    def wallet_row(self) -> dict[str, Any]:
        """The wallet in the venue's form; the balance leaves out what is not realised."""
        equity = self.venue.equity
        positions = [self.venue.position(symbol) for symbol in self.instruments]
        open_profit = sum((one.unrealised(self.venue.mark(one.symbol)) for one in positions), ZERO)
        margin = sum((abs(one.quantity) * self.venue.mark(one.symbol) for one in positions), ZERO) / self._leverage
        return wallet_row(equity, equity - open_profit, margin)

    def _order(self, body: Mapping[str, Any]) -> tuple[SubmitOrder, str]:
        symbol, link_id = self._symbol(body), str(body.get("orderLinkId") or "")
        if len(link_id) > 36:
            raise Refusal(10001, "orderLinkId is longer than 36 characters")
        if body.get("side") not in SIDES or body.get("orderType") not in ("Market", "Limit"):
            raise Refusal(10001, "side or orderType invalid")
        self.shelf.check(symbol, body)
        is_limit = body["orderType"] == "Limit"
        quantity = _number(body, "qty")
        if quantity is None:
            raise Refusal(10001, "qty missing")
        order = SubmitOrder(
            order_id=link_id or self._new_id(), symbol=symbol, side=SIDES[str(body["side"])], quantity=quantity,
            time_ms=self.now_ms, type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            limit_price=_number(body, "price") if is_limit else None,
            reduce_only=str(body.get("reduceOnly", False)).lower() == "true",
            stop_loss=_number(body, "stopLoss") or None, take_profit=_number(body, "takeProfit") or None,
        )  # fmt: skip
        return order, link_id

    def _symbol(self, body: Mapping[str, Any]) -> str:
        symbol = str(body.get("symbol") or "")
        if symbol not in self.instruments or body.get("category") not in ("linear", None):
            raise Refusal(10001, "params error: symbol invalid")
        return symbol

    def _withdraw(self, record: OrderRecord) -> Told:
        order = record.order
        if record.stop_type:  # with its row goes the stop
            stop, target = self.venue.protection(order.symbol)
            is_target = record.reason is FillReason.TAKE_PROFIT
            self.venue.protect(
                order.symbol, stop_loss=stop if is_target else None, take_profit=None if is_target else target
            )
            return [*self._stand(order.symbol), ("position", self.position_row(order.symbol))]
        events = self.venue.submit(CancelOrder(order_id=order.order_id, symbol=order.symbol, time_ms=self.now_ms))
        record.cancel_type = "CancelByUser"
        return self._tell(events, {})

    def _tell(self, events: Sequence[ExchangeEvent], held: dict[str, Decimal]) -> Told:
        """Enter events and say them: orders and executions as they happened, then positions and the wallet."""
        told: Told = []
        moved: dict[str, None] = {}
        for event in events:
            if isinstance(event, OrderFilled):
                moved[event.symbol] = None
                told += self._filled(event, held)
            elif isinstance(event, FundingPaid):
                moved[event.symbol] = None
                self._sequence += 1
                quantity = held.get(event.symbol, ZERO)
                mark = self.venue.mark(event.symbol)
                told.append(self._execution(funding_row(event, quantity, mark, self._sequence)))
            elif isinstance(event, OrderCancelled):
                record = self.orders[self._linked.get(event.order_id, event.order_id)]
                record.status, record.updated_ms = "Cancelled", event.time_ms
                if event.order_id in self.reject_rest:
                    record.status, record.reject_reason = "Rejected", "EC_NoImmediateQtyToFill"
                elif record.cancel_type == "UNKNOWN":
                    record.cancel_type = "CancelByCrossOrder" if "price" in event.reason else "CancelByAdmin"
                told.append(("order", record.row()))
        for symbol in moved:
            self._updated_ms[symbol] = self.now_ms
            told += self._stand(symbol)
            told.append(("position", self.position_row(symbol)))
        if moved:
            told.append(("wallet", self.wallet_row()))
        return told

    def _filled(self, event: OrderFilled, held: dict[str, Decimal]) -> Told:
        record = None
        if event.reason is FillReason.ORDER:
            record = self.orders[self._linked.get(event.order_id, event.order_id)]
        else:  # a stop, a target or a liquidation is an order of the venue's own, without an id of ours
            record = self._stops.triggered(event.symbol, event.reason, event.quantity) or self._fired(event)
        before = held.get(event.symbol, ZERO)
        change = event.quantity * event.side.sign
        closed = min(abs(before), event.quantity) if before * change < 0 else ZERO
        held[event.symbol] = before + change
        self._sequence += 1
        record.fill(event)
        return [self._execution(execution_row(event, record, closed, self._sequence)), ("order", record.row())]

    def _fired(self, event: OrderFilled) -> OrderRecord:
        """The row of what fires in the moment in which it comes to be, and of a liquidation."""
        order = SubmitOrder(
            order_id=self._new_id(), symbol=event.symbol, side=event.side, quantity=event.quantity,
            time_ms=event.time_ms, reduce_only=True,
        )  # fmt: skip
        record = OrderRecord(
            venue_id=order.order_id, link_id="", order=order, created_ms=event.time_ms, updated_ms=event.time_ms,
            reason=event.reason,
        )  # fmt: skip
        self._keep(record)
        return record

    def _keep(self, record: OrderRecord) -> None:
        self.orders[record.venue_id] = record

    def _stand(self, symbol: str) -> Told:
        """List stop and target as they lie now."""
        changed = self._stops.follow(
            symbol, self.venue.position(symbol).quantity, self.venue.protection(symbol), self.now_ms
        )
        return [("order", one.row()) for one in changed]

    def _execution(self, row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        self.executions.append(row)
        self.told_ms.append(self._wire_ms())
        return "execution", row

    def _new_id(self) -> str:
        self._count += 1
        return str(uuid.UUID(int=(0x7472697074796368 << 64) + self._count))


def _number(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value in (None, ""):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Refusal(10001, f"{name} invalid") from None
    if not number.is_finite() or number < 0:
        raise Refusal(10001, f"{name} invalid")
    return number


def _protection(
    body: Mapping[str, Any], stop: Decimal | None, target: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """Stop and target that are asked for: what is not named stays, 0 takes away."""
    if body.get("stopLoss") not in (None, ""):
        stop = _number(body, "stopLoss") or None
    if body.get("takeProfit") not in (None, ""):
        target = _number(body, "takeProfit") or None
    return stop, target


def _refusal(reason: str) -> Refusal:
    for words, code, text in _REFUSALS:
        if words in reason:
            return Refusal(code, f"{text}: {reason}")
    return Refusal(10001, reason)
