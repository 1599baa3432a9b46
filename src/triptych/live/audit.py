"""The audit: journal and venue side by side, every difference named and explained. Looks only; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from triptych.domain import FillReason, OrderFilled, OrderReport, PositionReport, utc
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.books import Books
from triptych.trading.order_id import OrderIds

MADE_HERE = ("adopted-", "by-hand-")
"""Fills that no execution stands behind: what the venue held was entered where nobody could say how it came about."""

Kind = Literal["order", "fill", "position", "stop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing about which journal and venue do not say the same.

    Attributes:
        kind: what it is about.
        symbol: instrument.
        journal, venue: what each says.
        explanation: how it may have come about.
        repair: what a repair does about it, which is what the next start does too; empty when a person must.
    """

    kind: Kind
    symbol: str
    journal: str
    venue: str
    explanation: str
    repair: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Auditor:
    """Compares what the journal makes of orders, fills, positions and stops with what the venue says.

    Attributes:
        books: recovered from the journal.
        gateway: asked, never commanded.
        strategy: name that order ids are derived from.
        fills: what the journal holds since `since_ms`.
        since_ms: executions are asked for from here on, UTC.
    """

    books: Books
    gateway: AbstractGateway
    strategy: str
    fills: Sequence[OrderFilled]
    since_ms: int

    async def look(self, symbol: str) -> list[Difference]:
        """All differences in one instrument. Raises ExchangeError when the venue cannot be asked."""
        executions = await self.gateway.executions([symbol], self.since_ms)
        told = [one for one in executions if isinstance(one, OrderFilled)]
        known = {one.fill_id for one in self.fills if one.symbol == symbol}
        missing = [one for one in told if one.fill_id not in known]
        ours = [one for one in missing if self._is_our_fill(one)]
        found = [self._unknown_to_us(one) for one in ours]
        found += self._unknown_to_venue(symbol, {one.fill_id for one in told})
        found += await self._orders(symbol)
        report = (await self.gateway.positions([symbol]))[symbol]
        found += self._position(report, ours, [one for one in missing if one not in ours])
        found += self._stop(report)
        return found

    def _is_ours(self, order_id: str, symbol: str) -> bool:
        return OrderIds(self.strategy, symbol).is_ours(order_id)

    def _is_our_fill(self, fill: OrderFilled) -> bool:
        """Stops, targets and liquidations are orders of the venue's own: ours where they close a position of ours."""
        held = self.books.engine.portfolio.position(fill.symbol).quantity
        is_exit = fill.reason is not FillReason.ORDER and held * fill.side.sign < 0
        return is_exit or self._is_ours(fill.order_id, fill.symbol)

    def _unknown_to_us(self, fill: OrderFilled) -> Difference:
        return Difference(
            kind="fill", symbol=fill.symbol, journal="nothing", venue=_fill(fill),
            explanation="An order of ours, or the stop that travelled with it, was filled while nobody listened.",
            repair="The fill is entered.",
        )  # fmt: skip

    def _unknown_to_venue(self, symbol: str, told: set[str]) -> Iterable[Difference]:
        for fill in self.fills:
            if fill.symbol == symbol and fill.fill_id not in told and not fill.fill_id.startswith(MADE_HERE):
                yield Difference(
                    kind="fill", symbol=symbol, journal=_fill(fill), venue="nothing",
                    explanation="The journal was written on another account or venue, or the venue has forgotten.",
                )  # fmt: skip

    async def _orders(self, symbol: str) -> list[Difference]:
        found = []
        under_way = {order.order_id: order for order in self.books.under_way if order.symbol == symbol}
        for order_id in under_way:
            report = await self.gateway.find_order(order_id, symbol)
            if report is None:
                found.append(Difference(
                    kind="order", symbol=symbol, journal=f"{order_id} is under way", venue="has never seen it",
                    explanation="The request was lost on its way, or the process died before it sent it.",
                    repair="It is closed as never arrived, once no request for it can be accepted any more.",
                ))  # fmt: skip
            elif report.status.is_final:
                found.append(Difference(
                    kind="order", symbol=symbol, journal=f"{order_id} is under way", venue=_order(report),
                    explanation="It came to its end while nobody listened.", repair="Its end is entered.",
                ))  # fmt: skip
        for report in await self.gateway.open_orders([symbol]):
            if report.order_id in under_way:
                continue
            is_ours = self._is_ours(report.order_id, symbol)
            found.append(Difference(
                kind="order", symbol=symbol, journal="nothing is under way", venue=_order(report),
                explanation="It bears an id of ours, and no decision in the journal stands behind it."
                if is_ours else "Somebody else has placed it.", repair="It is withdrawn." if is_ours else "",
            ))  # fmt: skip
        return found

    def _position(
        self, report: PositionReport, ours: Sequence[OrderFilled], theirs: Sequence[OrderFilled]
    ) -> list[Difference]:
        held = self.books.engine.portfolio.position(report.symbol).quantity
        if held == report.quantity:
            return []
        rest = report.quantity - held - _traded(ours)
        if not rest:
            explanation = f"{len(ours)} fills of ours that the journal lacks make the difference."
        elif rest == _traded(theirs):
            explanation = (
                f"{len(theirs)} fills of orders that are not ours make the difference: somebody trades by hand."
            )
        else:
            explanation = (
                f"{rest:+} cannot be explained by fills since {utc(self.since_ms)} UTC: somebody else trades in this "
                "account, or the journal is not of this account."
            )
        repair = "Left as it is; --adopt takes the venue's quantity over." if rest else "It follows from the fills."
        if rest and rest == _traded(theirs) and rest * held < 0 and abs(rest) <= abs(held):
            repair = "So much of our position is entered as closed by somebody else."
        return [
            Difference(
                kind="position", symbol=report.symbol, journal=f"holds {held}", venue=f"holds {report.quantity}",
                explanation=explanation, repair=repair,
            )
        ]  # fmt: skip

    def _stop(self, report: PositionReport) -> list[Difference]:
        """What a start would set again; a stop that somebody has set where we have none is his."""
        wanted = self.books.stops.get(report.symbol, (None, None))
        there = report.stop_loss, report.take_profit
        if not report.quantity or all(ours in (None, theirs) for ours, theirs in zip(wanted, there, strict=True)):
            return []
        is_lost = wanted[0] is not None and report.stop_loss is None
        return [Difference(
            kind="stop", symbol=report.symbol, journal=_stops(*wanted),
            venue=_stops(report.stop_loss, report.take_profit),
            explanation="The position is not protected: its stop was taken away." if is_lost
            else "It was moved by hand, or the venue never got a move of ours.",
            repair="Stop and target are set as the journal says.",
        )]  # fmt: skip


def _traded(fills: Iterable[OrderFilled]) -> Decimal:
    return sum((one.side.sign * one.quantity for one in fills), Decimal(0))


def _fill(fill: OrderFilled) -> str:
    return f"{fill.side} {fill.quantity} at {fill.price} on {utc(fill.time_ms)} UTC (fill {fill.fill_id})"


def _order(report: OrderReport) -> str:
    name = report.order_id or report.venue_id
    said = f": {report.reason}" if report.reason else ""
    return f"{name}, {report.side} {report.quantity}, {report.filled} filled, is {report.status}{said}"


def _stops(stop: Decimal | None, target: Decimal | None) -> str:
    return f"stop {'none' if stop is None else stop}, target {'none' if target is None else target}"
