"""Reconciliation: do the venue and our books say the same? Before any decision, at the start and ever after.

In this order: fetch what was filled or paid since the newest known, fetch the open orders, ask for every order under
way that is not among them, look for open orders that nobody here has sent, compare the positions, and see that the stop
lies where it should. Each list is that of the whole account, so the questions do not grow with the instruments. What
the venue has done is taken in; what it cannot have done is closed; what remains is a difference that only somebody
else's trading can explain: the instrument is frozen (nothing is opened) or the foreign quantity is adopted, by policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from pydantic import Field

from triptych import domain
from triptych.domain import (
    AbstractClock,
    CancelOrder,
    OrderReport,
    PositionReport,
    SubmitOrder,
)
from triptych.exchanges.gateway import AbstractGateway, Remark
from triptych.live.books import Books
from triptych.live.journal import NoteWritten, OrderAnswered
from triptych.live.monitoring import Metrics
from triptych.live.rivals import Rivals
from triptych.live.sender import Sender
from triptych.trading.order_id import OrderIds


class Config(domain.Config):
    """How differences between venue and books are dealt with."""

    foreign: Literal["freeze", "adopt"] = Field(
        default="freeze",
        description=(
            "What to do about a position that our orders do not explain: open nothing in the instrument until it is "
            "gone (freeze), or trade on from the venue's quantity (adopt)."
        ),
    )
    overlap_minutes: float = Field(
        default=10.0,
        ge=0,
        description="Minutes before the last time they were asked for from which executions are asked for again.",
    )
    rival_minutes: float = Field(
        default=10.0,
        ge=0,
        description="Minutes without an opening order of another session in this account before one is started, and "
        "before one that goes on opens anything again. 0: other sessions are not looked for.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """How an instrument stands: settled when venue and books agree; `reason` says why not.

    `is_passing`: the difference will go away by itself, because a message or an order is still on its way. `is_ours`:
    whether at least what our fills make is held, so that it may be closed. `must_close`: why it must be, at once; empty
    while it need not.
    """

    is_settled: bool
    reason: str = ""
    is_passing: bool = False
    is_ours: bool = True
    must_close: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciler:
    """Asks the venue and brings the books up to it.

    Attributes:
        strategy: name that order ids are derived from.
        started_ms: executions before this are not ours when the books were new then.
        asked_ms: by symbol, when its executions were asked for last.
        protected_ms: by symbol, when it was last known whether the position was protected.
        reports: by symbol, what the venue last said of the position, its stop and its target.
        frozen: by symbol, the difference that was told of.
        refused: by symbol, how often in a row the venue refused to set stop and target again.
        note: told in words what a person should know: severity, topic, text, symbol.
        rivals: other sessions in the account; None where there can be none.
    """

    config: Config
    strategy: str
    gateway: AbstractGateway
    books: Books
    sender: Sender
    clock: AbstractClock
    metrics: Metrics
    started_ms: int
    note: Callable[[str, str, str, str], None]
    rivals: Rivals | None = None
    asked_ms: dict[str, int] = field(default_factory=dict)
    protected_ms: dict[str, int] = field(default_factory=dict)
    reports: dict[str, PositionReport] = field(default_factory=dict)
    frozen: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    async def settle(self, symbols: Sequence[str], *, is_killed: bool = False) -> dict[str, Settled]:
        """Bring instruments up to date. Raises ExchangeError when the venue cannot be asked.

        The questions are asked for all instruments at once, whatever their number: three, and those for orders under
        way that are not among the open ones. Where trading was killed and the venue is flat, so are the books then: the
        difference is what somebody else had traded and the kill has closed.

        Raises LeaseError when another session trades in the account and this one must give way.
        """
        now = self.clock.now_ms()
        known = {order.order_id for order in self.books.under_way}
        executions = await self.gateway.executions(symbols, min(map(self._since, symbols)))
        opened = await self.gateway.open_orders(symbols)
        # Before anything is taken in or withdrawn: who must give way touches nothing.
        rival = "" if self.rivals is None else await self.rivals.look(symbols, executions, opened)
        self.books.take_executions(executions)
        self.asked_ms.update(dict.fromkeys(symbols, now))
        for remark in self.gateway.remarks():
            self._remark(remark)
        doubts = await asyncio.gather(*(self._orders(one, opened, known) for one in symbols))
        found = {
            symbol: Settled(is_settled=False, reason=reason, is_passing=True)
            for symbol, reason in zip(symbols, doubts, strict=True)
            if reason
        }
        certain = [symbol for symbol in symbols if symbol not in found]
        reports = await self.gateway.positions(certain) if certain else {}
        for symbol in certain:
            found[symbol] = await self._position(reports[symbol], is_killed=is_killed)
        return {symbol: Settled(is_settled=False, reason=rival) for symbol in found} if rival else found

    async def _orders(self, symbol: str, opened: Sequence[OrderReport], known: set[str]) -> str:
        """Take in what the venue knows of the orders; returns why something is still open to doubt, or nothing."""
        mine = {report.order_id: report for report in opened if report.symbol == symbol and report.order_id}
        waiting = []
        for order in [one for one in self.books.under_way if one.symbol == symbol]:
            if order.order_id in mine:
                self._found(order, mine[order.order_id])
            elif doubt := await self._ask(order):
                waiting.append(doubt)
        await self._strangers(symbol, [one for one in opened if one.symbol == symbol], known)
        if not waiting and self.books.lacks_fills(symbol):
            waiting.append("fills are missing that the venue speaks of")
        return "; ".join(waiting)

    async def _position(self, report: PositionReport, *, is_killed: bool) -> Settled:
        symbol = report.symbol
        if report.quantity != self.books.engine.portfolio.position(symbol).quantity:
            # Something may have been filled between the two questions, or have moved from one page to another.
            self.books.take_executions(await self.gateway.executions([symbol], self._since(symbol)))
            report = (await self.gateway.positions([symbol]))[symbol]
        self.reports[symbol] = report
        settled = self._compare(report, may_adopt=is_killed and not report.quantity)
        if settled.is_ours:
            return await self._protect(report, settled)
        return settled

    def _since(self, symbol: str) -> int:
        """Whatever is older was taken in, by us or by the process before us, before it could decide again."""
        began = self.books.began_ms if self.books.began_ms >= 0 else self.started_ms
        asked = self.asked_ms.get(symbol, self.books.recovered_ms)
        return began if asked < 0 else max(began, asked - int(self.config.overlap_minutes * 60_000))

    async def _ask(self, order: SubmitOrder) -> str:
        """What became of an order under way; returns why it is still open to doubt, or nothing."""
        report = await self.gateway.find_order(order.order_id, order.symbol)
        if report is not None:
            self._found(order, report)
            return ""
        if doubt_ms := self.sender.doubt_ms(order):
            return f"order {order.order_id} is unknown to the venue, and may arrive for {doubt_ms / 1000:.1f} s yet"
        self.books.end(order.order_id, self.clock.now_ms(), "never reached the venue")
        self._tell("warning", f"order {order.order_id} never reached the venue", order.symbol)
        return ""

    def _found(self, order: SubmitOrder, report: OrderReport) -> None:
        if order.order_id in self.books.unsure:  # the end of not knowing is as much of the story as its beginning
            self.books.unsure.discard(order.order_id)
            self.books.write(
                OrderAnswered(
                    order_id=order.order_id, symbol=order.symbol, command="submit", outcome="accepted",
                    venue_id=report.venue_id, text="found at the venue by its id",
                )
            )  # fmt: skip
        self.books.take_report(report)

    async def _strangers(self, symbol: str, opened: Sequence[OrderReport], known: set[str]) -> None:
        """Open orders that the books do not know: ours are withdrawn, those of others are told of and left alone."""
        ids = OrderIds(self.strategy, symbol)
        for report in opened:
            if report.order_id in known:
                continue
            if ids.is_ours(report.order_id):
                self._tell("critical", f"open order {report.order_id} of ours is not in the journal: withdrawn", symbol)
                if not self.books.has_journal:
                    continue  # it may be the order of a process that has taken over from this one
                now = self.clock.now_ms()
                await self.gateway.cancel(
                    CancelOrder(order_id=report.order_id, symbol=symbol, time_ms=now), signed_ms=now
                )
            else:
                name = report.order_id or report.venue_id
                self.note("warning", "foreign order", f"open order {name} is not ours; it is left alone", symbol)

    def _compare(self, report: PositionReport, *, may_adopt: bool) -> Settled:
        adopts = self.config.foreign == "adopt" or may_adopt
        now = self.clock.now_ms()
        closed = self.books.agree(report.symbol, report.quantity, now, has_strangers=not adopts)
        if closed:
            self._tell(
                "warning", f"{closed:+}: a position of ours was closed by somebody else or by a stop", report.symbol
            )
        ours = self.books.engine.portfolio.position(report.symbol)
        difference = report.quantity - ours.quantity
        if not difference:
            self.frozen.pop(report.symbol, None)
            return Settled(is_settled=True)
        text = f"the venue holds {report.quantity}, our fills make {ours.quantity}"
        if self.frozen.get(report.symbol) != text:  # told once, not at every look
            self._tell("critical", text, report.symbol)
            self.frozen[report.symbol] = text
        if not adopts:
            is_ours = bool(ours.quantity) and ours.quantity * difference > 0
            return Settled(is_settled=False, reason=text, is_passing=closed is None, is_ours=is_ours)
        self._adopt(report, difference)
        return Settled(is_settled=True)

    def _adopt(self, report: PositionReport, difference: Decimal) -> None:
        """Enter the foreign quantity: their own fills where they are known, see `adopted`."""
        fills = self.books.adopt(report, self.clock.now_ms())
        prices = ", ".join(f"{one.price:.10g}" for one in fills)
        self._tell("warning", f"{difference:+} of somebody else's trading was adopted at {prices}", report.symbol)

    async def _protect(self, report: PositionReport, settled: Settled) -> Settled:
        """A position whose stop or target is gone, or is not where it should be, gets it back; one that was adopted
        gets what an entry would bring along.

        Where the price lies beyond them they cannot be set any more, and the position must be closed; also where the
        venue refuses a stop that is gone for the second time.
        """
        now = self.clock.now_ms()
        before, self.protected_ms[report.symbol] = self.protected_ms.get(report.symbol, now), now
        refused = self.refused.pop(report.symbol, 0)
        if not report.quantity:
            return settled
        known = self.books.stops.get(report.symbol)
        if known is None and not settled.is_settled:
            return settled
        stop, target = self.books.protect(report) if known is None else known
        tick = self.books.engine.instrument(report.symbol).price_step
        wrong = [
            f"{name} {ours} {'is gone' if theirs is None else f'was moved to {theirs}'}"
            for name, ours, theirs in (("stop", stop, report.stop_loss), ("target", target, report.take_profit))
            if ours is not None and (theirs is None or abs(theirs - ours) >= tick)
        ]
        if not wrong:
            return settled
        # At most so long: since it was last seen to be protected.
        self.metrics.unprotected.labels(symbol=report.symbol).inc(max(now - before, 1) / 1000)
        text = f"the position's {' and '.join(wrong)}: set again"
        if known is None:
            text = f"no order of ours has opened the position: {' and '.join(wrong)}, and is set as for an entry now"
        if not refused:  # told once, not at every attempt
            # Written first: who has lost the right to write must not touch the position of its successor.
            self.books.write(NoteWritten(topic="unprotected", text=text, symbol=report.symbol))
            self.metrics.reconciliation_differences.labels(symbol=report.symbol).inc()
            self.note("critical", "unprotected", text, report.symbol)
        # What somebody has set where we have nothing of the kind stays. Ours goes onto the grid of now.
        grid = self.books.engine.instrument(report.symbol).round_price
        answer = await self.gateway.protect(
            report.symbol, stop_loss=report.stop_loss if stop is None else grid(stop) or stop,
            take_profit=report.take_profit if target is None else grid(target) or target,
            signed_ms=self.clock.now_ms(),
        )  # fmt: skip
        if answer.outcome == "accepted":
            return settled
        if answer.doubts_rules:
            self.sender.doubt_rules()
        self.refused[report.symbol] = refused + 1
        self.note("critical", "unprotected", f"the stop could not be set again: {answer.text}", report.symbol)
        reason = f"the position's {' and '.join(wrong)}, and could not be set again"
        is_refused = answer.outcome == "rejected" and refused and stop is not None and report.stop_loss is None
        must_close = reason if is_refused or self._is_passed(report, stop, target) else ""
        return replace(settled, is_settled=False, is_passing=True, reason=reason, must_close=must_close)

    def _is_passed(self, report: PositionReport, stop: Decimal | None, target: Decimal | None) -> bool:
        """Whether the newest price lies beyond a stop or a target that is not where it should be."""
        price, sign = (
            Decimal(repr(self.books.engine.portfolio.last_mark(report.symbol))),
            1 if report.quantity > 0 else -1,
        )
        is_stopped = stop is not None and report.stop_loss != stop and (price - stop) * sign <= 0
        return is_stopped or (target is not None and report.take_profit != target and (price - target) * sign >= 0)

    def _remark(self, remark: Remark) -> None:
        self.books.write(NoteWritten(topic="execution", text=remark.text, symbol=remark.symbol))
        self.note(remark.severity, "execution", remark.text, remark.symbol)

    def _tell(self, severity: str, text: str, symbol: str) -> None:
        self.metrics.reconciliation_differences.labels(symbol=symbol).inc()
        self.books.write(NoteWritten(topic="reconciliation", text=text, symbol=symbol))
        self.note(severity, "reconciliation", text, symbol)
