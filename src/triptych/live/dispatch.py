"""The way out of a decision: each order past the last gate, then into the journal, then to the wire.

Nothing that opens leaves without its record. What closes leaves without one too, as long as the lease is surely ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from triptych.domain import AbstractClock, Command, MoveStop, OrderDenied, OrderRejected, SubmitOrder
from triptych.domain.errors import JournalError, LeaseError
from triptych.live.books import Books
from triptych.live.gate import Circumstances, Gate
from triptych.live.journal import Cause, StepRecorded, Switch
from triptych.live.monitoring import Metrics
from triptych.live.reconciliation import Settled
from triptych.live.sender import Sender
from triptych.trading.decision import Decision
from triptych.trading.guard import GuardActed
from triptych.trading.money import OthersHeld

Records = list[Decision | OrderDenied | GuardActed]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How the house stands when orders ask to leave: its switch, each instrument, and whether the venue is heard."""

    switch: Switch
    standings: Mapping[str, Settled]
    is_heard: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """What was sent, and whether every answer came."""

    sent: tuple[Command, ...]
    is_answered: bool


class Dispatcher:
    """Gates, writes and sends.

    Attributes:
        held_back: orders that the gate has not let through since the start.
    """

    def __init__(
        self,
        *,
        books: Books,
        records: Records,
        gate: Gate,
        sender: Sender,
        clock: AbstractClock,
        market_clock: AbstractClock,
        metrics: Metrics,
        data_age_s: Callable[[str], float],
        note: Callable[[str, str, str, str], None],
    ) -> None:
        """Join the parts; see `Trader`."""
        self.books, self.held_back = books, 0
        self._records, self._gate, self._sender, self._clock, self._metrics = records, gate, sender, clock, metrics
        self._market_clock, self._data_age_s, self._note = market_clock, data_age_s, note

    async def carry_out(
        self,
        close_ms: int,
        commands: Sequence[Command],
        now: Standing,
        *,
        cause: Cause = "candles",
        model: str = "",
        timeframe_ms: int = 0,
    ) -> Carried:
        """Gate, journal, wire: what is left of the commands is written and sent.

        Args:
            close_ms: of the candles that were decided on, UTC ms.
            commands: what the engine wants.
            now: how the house stands.
            cause: of the decision.
            model: that was on duty.
            timeframe_ms: length of the candles; 0 where the decision belongs to none.

        Raises LeaseError when the right to write is lost; nothing was sent then.
        """
        held = self._held()
        passed = tuple(command for command in commands if self._passes(command, held, now, close_ms, timeframe_ms))
        decided_ms = self._clock.now_ms()
        step = replace(self._step(close_ms, passed, cause), model=model)
        try:
            started = time.monotonic()
            may_send = self.books.record(step, decided_ms)
            self._metrics.journal_append.observe(time.monotonic() - started)
        except LeaseError:
            raise
        except JournalError as error:
            is_kill = cause == "switch" and now.switch is Switch.KILLED
            passed = self._without_journal(step, decided_ms, error, is_kill=is_kill)
            may_send = True
        if not may_send:
            for command in passed:
                self._drop(command, "this close was decided on before")
            return Carried(sent=(), is_answered=True)
        return Carried(sent=passed, is_answered=await self._sender.send(passed, decided_ms))

    def _held(self) -> dict[str, Decimal]:
        """By instrument, the signed quantity held once every order under way is filled."""
        held = {symbol: self.books.engine.portfolio.position(symbol).quantity for symbol in self.books.engine.symbols}
        for order in self.books.under_way:
            held[order.symbol] += order.side.sign * order.quantity
        return held

    def _passes(
        self, command: Command, held: dict[str, Decimal], now: Standing, close_ms: int, timeframe_ms: int
    ) -> bool:
        """Whether the gate lets a command out; `held` then counts what it will change."""
        if not isinstance(command, SubmitOrder):
            return True
        if timeframe_ms and command.reduce_only and not now.standings[command.symbol].is_ours:
            return self._hold_back(command, "nobody knows whether what the venue holds is ours: it is left alone")
        marks, symbol = self.books.engine.portfolio.last_mark, command.symbol
        mark = marks(symbol)
        reason = self._gate.review(
            command,
            Circumstances(
                now_ms=self._clock.now_ms(),
                last_price=Decimal(repr(mark)) if mark else None,
                data_age_s=self._data_age_s(symbol),
                position=held[symbol],
                others=OthersHeld.of(float(held[one]) * marks(one) for one in held if one != symbol),
                switch=now.switch,
                has_journal=self.books.has_journal,
                is_settled=now.standings[symbol].is_settled,
                is_heard=now.is_heard,
                late_s=max(0.0, (self._market_clock.now_ms() - close_ms) / 1000) if timeframe_ms else 0.0,
                timeframe_s=timeframe_ms / 1000,
            ),
        )
        if reason:
            return self._hold_back(command, reason)
        held[symbol] += command.side.sign * command.quantity
        return True

    def _hold_back(self, order: SubmitOrder, reason: str) -> bool:
        """Write down why an order does not leave. Returns False."""
        self.held_back += 1
        self._drop(order, f"held back at the gate: {reason}")
        self._records.append(
            OrderDenied(order_id=order.order_id, symbol=order.symbol, time_ms=order.time_ms, reason=reason)
        )
        return False

    def _drop(self, command: Command, reason: str) -> None:
        """An order that will not be sent is not under way."""
        if isinstance(command, SubmitOrder):
            self._metrics.orders_denied.labels(symbol=command.symbol).inc()
            self.books.engine.on_event(
                OrderRejected(order_id=command.order_id, symbol=command.symbol, time_ms=command.time_ms, reason=reason)
            )

    def _without_journal(
        self, step: StepRecorded, decided_ms: int, error: JournalError, *, is_kill: bool
    ) -> tuple[Command, ...]:
        """Nothing is opened that is not written down; what closes or withdraws is sent all the same.

        Unless another process may have taken over: then nothing is sent, and the stops at the venue protect what is
        held. A kill is the exception: somebody wants the account flat, whoever trades it, and what is reduce-only opens
        nothing. Where it is known that another has taken over, a LeaseError has ended this before.
        """
        self._note("critical", "journal", error.message, "")
        lease, kept = self.books.journal.lease, tuple[Command, ...]()
        is_ours = lease is not None and lease.is_surely_ours()
        if is_ours or is_kill:
            kept = tuple(c for c in step.commands if not isinstance(c, SubmitOrder) or c.reduce_only)
        if not is_ours:
            sent = "only what closes is sent, for the kill" if is_kill else "nothing is sent"
            self._note("critical", "journal", f"nobody can tell who holds the lease: {sent}", "")
        for command in step.commands:
            if command not in kept:
                self._drop(command, "the journal cannot be written")
        self.books.follow(replace(step, commands=kept), decided_ms)
        return kept

    def _step(self, close_ms: int, commands: tuple[Command, ...], cause: Cause) -> StepRecorded:
        state = self.books.engine.state()
        stops = self.books.stops
        for command in commands:
            if isinstance(command, MoveStop):
                stops[command.symbol] = command.stop_loss, stops.get(command.symbol, (None, None))[1]
        return StepRecorded(
            close_ms=close_ms,
            decisions=tuple(one for one in self._records if isinstance(one, Decision)),
            denials=tuple(one for one in self._records if isinstance(one, OrderDenied)),
            commands=commands,
            # Which fills were entered is known to the journal itself, by their keys.
            state=replace(state, portfolio=replace(state.portfolio, fill_ids=())),
            stops=stops,
            protections=self.books.protections,
            cause=cause,
            peak_equity=max(self.books.peak_equity, self.books.engine.portfolio.equity()),
        )
