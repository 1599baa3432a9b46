"""Our own books: engine, intake and journal as one. Nothing becomes true in the engine that the journal does not hold.

The one exception is a journal that cannot be written. What a venue has done is true all the same: it is taken in, kept
aside and written as soon as the journal can be written again. Until then nothing is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from triptych.domain import (
    ExchangeEvent,
    FillReason,
    FundingPaid,
    MoveStop,
    OrderFilled,
    OrderReport,
    PositionReport,
    Side,
    SubmitOrder,
)
from triptych.domain.errors import JournalError, LeaseError
from triptych.live.adopting import adopted
from triptych.live.intake import Intake
from triptych.live.journal import EVENTS, Journal, NoteWritten, Record, StepRecorded
from triptych.live.protections import NOTHING, Protection, Protections, Sides
from triptych.live.strangers import Judged, Strangers, exits
from triptych.live.switching import KeptSwitch
from triptych.trading.engine import Engine

KINDS: Final = (OrderFilled, FundingPaid)


class Books:
    """The engine with everything that must survive it.

    Attributes:
        engine: decides.
        journal: remembers; acquire its lease first.
        has_journal: whether the journal could be written when it was last tried.
        last_close_ms: close of the candles that were decided on last; -1 before the first.
        recovered_ms: when the venue had surely been asked last, by the journal, our clock; -1 when it never was.
        began_ms: when its first entry was written, our clock; -1 when it was empty.
        unsure: orders of which nobody has heard whether the venue has them.
        switch: what the house allows itself, where it must not be forgotten.
        peak_equity: highest equity at any decision, of earlier processes too, quote currency; 0 before the first.
    """

    def __init__(self, engine: Engine, journal: Journal, *, note: Callable[[str], None]) -> None:
        """Join them. `note` is told in words when the journal fails and when it works again."""
        self.engine, self.journal = engine, journal
        self.has_journal = True
        self.last_close_ms = self.recovered_ms = self.began_ms = -1
        self.unsure: set[str] = set()
        self.peak_equity = 0.0
        self._intake = Intake()
        self._aside: list[Record] = []
        self._decided_ms: dict[str, int] = {}
        self._protections = Protections()
        self._strangers, self._agreed = Strangers(), set[str]()
        self._known: dict[str, tuple[OrderFilled, ...]] = {}
        self._note = note
        self.switch = KeptSwitch(journal, write=self.write, note=note)

    def recover(self) -> bool:
        """Become what the journal remembers; the candles must have been observed. Returns whether it held anything.

        Raises JournalError when it cannot be read.
        """
        last = self.journal.last(StepRecorded)
        if last is None:
            return False
        step = last.record
        assert isinstance(step, StepRecorded)
        self._intake = Intake()
        self.engine.restore(step.state)
        self.last_close_ms, self.peak_equity = step.close_ms, step.peak_equity
        self._protections = Protections(step.protections or self._of_held(step.stops))
        for desk in step.state.desks:
            for order, remaining in desk.orders:
                self._intake.track(order, order.quantity - remaining)
                if remaining == order.quantity:
                    self._protections.track(order)
                self.unsure.add(order.order_id)
                # Not earlier than it was: an order that is waited for too long does no harm.
                self._decided_ms[order.order_id] = last.time_ms
        self._move(step)
        events: list[ExchangeEvent] = []
        for entry in self.journal.entries(after=last.seq, kinds=EVENTS):
            assert isinstance(entry.record, EVENTS)
            if isinstance(entry.record, KINDS):
                self._intake.on_executions([entry.record])
            else:
                self._intake.never_arrived(entry.record.order_id, 0, "")
            events.append(entry.record)
        self._enter(events)
        self.recovered_ms = self._last_settled_ms()
        with contextlib.closing(self.journal.entries(limit=1)) as entries:
            self.began_ms = next(entries).time_ms
        return True

    def _last_settled_ms(self) -> int:
        """When the last step was written before which the venue was asked; -1 without one.

        A kill writes its steps without having asked for executions, as often as it tries, however long an outage lasts.
        """
        with contextlib.closing(self.journal.entries(kinds=(StepRecorded,), newest_first=True)) as steps:
            for entry in steps:
                if isinstance(entry.record, StepRecorded) and entry.record.cause != "switch":
                    return entry.time_ms
        return -1

    @property
    def stops(self) -> dict[str, Protection]:
        """By symbol, where stop and target of the position should lie at the venue; left out where nowhere."""
        held = {symbol: self.engine.portfolio.position(symbol).quantity for symbol in self.engine.symbols}
        found = {symbol: self._protections.of(symbol, quantity) for symbol, quantity in held.items()}
        return {symbol: one for symbol, one in found.items() if one != NOTHING}

    @property
    def protections(self) -> Sides:
        """By symbol and side, the same with what a turn under way may lead to; for the journal."""
        return self._protections.sides

    @property
    def under_way(self) -> tuple[SubmitOrder, ...]:
        """Orders that have not come to an end, as far as anybody knows."""
        return self._intake.under_way

    @property
    def unknown(self) -> tuple[SubmitOrder, ...]:
        """Orders under way of which nobody has heard whether the venue has them."""
        return tuple(order for order in self.under_way if order.order_id in self.unsure)

    def sent_ms(self, order: SubmitOrder) -> int:
        """When the decision behind an order was written, our clock; its own time when it is not known any more."""
        return self._decided_ms.get(order.order_id, order.time_ms)

    def openings_since(self, since_ms: int) -> list[int]:
        """When each opening order of the journal's decisions was decided, our clock, oldest first; from then on.

        Raises JournalError when the journal cannot be read.
        """
        found: list[int] = []
        with contextlib.closing(self.journal.entries(kinds=(StepRecorded,), newest_first=True)) as steps:
            for entry in steps:
                if entry.time_ms < since_ms:
                    break
                assert isinstance(entry.record, StepRecorded)
                orders = [one for one in entry.record.commands if isinstance(one, SubmitOrder) and not one.reduce_only]
                found += [entry.time_ms] * len(orders)
        return found[::-1]

    def lacks_fills(self, symbol: str) -> bool:
        """Whether the venue speaks of fills that have not come in."""
        return self._intake.lacks_fills(symbol)

    def record(self, step: StepRecorded, decided_ms: int) -> bool:
        """Write a decision taken at `decided_ms` before its commands are sent, and follow its orders.

        Returns whether they may be sent; not when this close was decided on before. Raises JournalError when it could
        not be written; nothing has changed then but the engine.
        """
        if not self._write([step])[0]:
            return False
        self.follow(step, decided_ms)
        return True

    def follow(self, step: StepRecorded, decided_ms: int) -> None:
        """Follow the orders of a decision, and remember its stops."""
        self.last_close_ms = step.close_ms
        self._move(step)
        self.peak_equity = max(self.peak_equity, step.peak_equity)
        under_way = {order.order_id for order in self.under_way}
        self._decided_ms = {name: when for name, when in self._decided_ms.items() if name in under_way}
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self._intake.track(command)
                self._protections.track(command)
                self._decided_ms[command.order_id] = decided_ms

    def take_executions(self, executions: Iterable[OrderFilled | FundingPaid]) -> list[ExchangeEvent]:
        """Take in fills and payments. Returns the events that were new.

        Fills of orders that somebody else has sent are none of ours: what they make of the position is reconciled. So
        are those of stops that do not fit the position which our fills make.
        """
        held: dict[str, Decimal] = {}
        fills: dict[str, OrderFilled] = {}
        ours: list[OrderFilled | FundingPaid] = []
        for one in executions:
            if isinstance(one, FundingPaid):
                ours.append(one)
            elif one.fill_id not in fills and not self._intake.has_seen(one.fill_id):
                fills[one.fill_id] = one
                if self._is_ours(one, held):
                    ours.append(one)
        taken = self._take(self._intake.on_executions(ours))
        repeated = {one.fill_id for one in ours if isinstance(one, OrderFilled)}  # an earlier process has entered them
        repeated -= {one.fill_id for one in taken if isinstance(one, OrderFilled)}
        for name, one in fills.items():
            if name not in repeated:
                self._strangers.since.setdefault(one.symbol, []).append(one)
        return taken

    def agree(self, symbol: str, venue: Decimal, now_ms: int, *, has_strangers: bool) -> Decimal | None:
        """Say of what strangers did whether it closed something of ours; `venue` is what the venue holds, signed.

        Without `has_strangers` every position is ours, and only the stops are entered that had to wait; what strangers
        have filled is kept for `adopt`. Returns the signed quantity that was entered; None while it is too early.
        """
        ours = self.engine.portfolio.position(symbol).quantity
        pending = self._strangers.pending.get(symbol, [])
        try:
            fills = [one for one in pending if not self.journal.holds(one)]
        except JournalError:  # nobody can tell which of them an earlier process has entered
            return None
        if self._strangers.are_none(symbol, fills, ours=ours, venue=venue):
            self._strangers.forget(symbol)
            judged: Judged | None = Judged(fills=tuple(sorted(fills, key=lambda one: one.time_ms)))
        elif not has_strangers:
            self._strangers.forget(symbol)
            judged = Judged(fills=exits(fills, ours))
            entered_ids = {one.fill_id for one in judged.fills}
            self._known[symbol] = tuple(one for one in fills if one.fill_id not in entered_ids)
        else:
            judged = self._strangers.judge(symbol, fills, ours=ours, venue=venue, now_ms=now_ms)
        if judged is None:
            return None
        self._agreed.add(symbol)
        entered = list(judged.fills)
        if judged.unexplained:
            entered.append(self._closed_by_hand(symbol, judged.unexplained, now_ms))
        self._take(entered)
        return sum((one.side.sign * one.quantity for one in entered), Decimal(0))

    def _closed_by_hand(self, symbol: str, quantity: Decimal, now_ms: int) -> OrderFilled:
        price = Decimal(repr(self.engine.portfolio.last_mark(symbol)))
        return OrderFilled(
            order_id="", fill_id=f"by-hand-{symbol}-{now_ms}", symbol=symbol,
            side=Side.BUY if quantity > 0 else Side.SELL, quantity=abs(quantity), price=price, fee=Decimal(0),
            is_maker=False, time_ms=now_ms, reference_price=price, reason=FillReason.BY_HAND,
        )  # fmt: skip

    def adopt(self, report: PositionReport, now_ms: int) -> tuple[OrderFilled, ...]:
        """Make the venue's position ours: enter somebody else's trading as fills of ours, and return them."""
        portfolio, symbol = self.engine.portfolio, report.symbol
        mark = Decimal(repr(portfolio.last_mark(symbol)))
        fills = adopted(portfolio.position(symbol), report, self._known.pop(symbol, ()), mark=mark, now_ms=now_ms)
        self._take(fills)
        return fills

    def protect(self, report: PositionReport) -> Protection:
        """Where stop and target of a position should lie that no order of ours has brought any for; remembered."""
        wanted = self.engine.protect(report.symbol, report.stop_loss)
        if wanted != NOTHING:
            self._protections.put(report.symbol, self.engine.portfolio.position(report.symbol).quantity, wanted)
        return wanted

    def take_report(self, report: OrderReport) -> list[ExchangeEvent]:
        """Take in what the venue says of an order. Returns the events that were new."""
        return self._take(self._intake.on_report(report))

    def end(self, order_id: str, time_ms: int, reason: str) -> list[ExchangeEvent]:
        """Take in that the venue never had an order, or refused it at once. Returns the event."""
        return self._take(self._intake.never_arrived(order_id, time_ms, reason))

    def write(self, *records: Record) -> None:
        """Write what is told for people; when the journal cannot be written it is kept aside."""
        try:
            self._write(records)
        except LeaseError:
            raise
        except JournalError:
            self._aside.extend(records)

    def flush(self) -> bool:
        """Write what was kept aside; returns whether nothing is kept any more. Raises LeaseError as `record` does."""
        if self._aside or not self.has_journal:
            self.write()
        return not self._aside and self.has_journal

    @property
    def kept_aside(self) -> tuple[Record, ...]:
        """What the journal does not hold yet because it could not be written."""
        return tuple(self._aside)

    def _is_ours(self, fill: OrderFilled, held: dict[str, Decimal]) -> bool:
        """Stops, targets and liquidations are orders of the venue's own: ours if they close what our fills have made.

        `held` is what they make with those of the fills before this one that have not been entered yet.
        """
        symbol, change = fill.symbol, fill.side.sign * fill.quantity
        before = held.setdefault(symbol, self.engine.portfolio.position(symbol).quantity)
        if fill.reason is FillReason.ORDER:
            is_ours = self.engine.has_sent(fill.order_id, symbol)
        else:
            fits = before * change < 0 and fill.quantity <= abs(before)
            is_ours = fits and symbol in self._agreed and not self._strangers.are_in(symbol)
        if is_ours:
            held[symbol] = before + change
            return True
        self._intake.is_new(fill.fill_id)
        self._strangers.heard(fill)
        if fill.reason is FillReason.ORDER:
            by = f"order {fill.order_id}" if fill.order_id else "an order without an id"
            text = f"{fill.side} {fill.quantity} at {fill.price} by {by}, which is not ours"
            self.write(NoteWritten(topic="foreign fill", text=text, symbol=fill.symbol))
        return False

    def _take(self, events: Sequence[ExchangeEvent]) -> list[ExchangeEvent]:
        if not events:
            return []
        try:
            new = self._write(events)
        except LeaseError:
            raise
        except JournalError:
            self._aside.extend(events)
            new = (True,) * len(events)
        taken = [event for event, is_new in zip(events, new, strict=True) if is_new]
        self._enter(taken)
        return taken

    def _enter(self, events: Sequence[ExchangeEvent]) -> None:
        """All of them, and only then forget stops: between two fills that turn it a position is flat."""
        for event in events:
            self.engine.on_event(event)
            if isinstance(event, OrderFilled):
                self._protections.filled(event)
        for symbol in {event.symbol for event in events} - {order.symbol for order in self.under_way}:
            self._protections.forget(symbol, self.engine.portfolio.position(symbol).quantity)

    def _move(self, step: StepRecorded) -> None:
        for command in step.commands:
            if isinstance(command, MoveStop):
                held = self.engine.portfolio.position(command.symbol).quantity
                self._protections.move(command.symbol, held, command.stop_loss)

    def _of_held(self, stops: Mapping[str, Protection]) -> Sides:
        """Of a step that was written before both sides were."""
        held = {symbol: self.engine.portfolio.position(symbol).quantity for symbol in stops}
        return {
            symbol: {Side.BUY if held[symbol] > 0 else Side.SELL: one} for symbol, one in stops.items() if held[symbol]
        }

    def _write(self, records: Sequence[Record]) -> tuple[bool, ...]:
        """Append what was kept aside and these records, in one transaction."""
        written = (*self._aside, *records)
        try:
            new = self.journal.append(*written)
        except LeaseError:
            raise
        except JournalError as error:
            if self.has_journal:
                self._note(error.message)
            self.has_journal = False
            raise
        if not self.has_journal:
            self._note(f"the journal is written again; {len(self._aside)} entries were kept aside meanwhile")
        kept, self._aside, self.has_journal = len(self._aside), [], True
        self.switch.written(written)
        return new[kept:]
