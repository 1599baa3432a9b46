"""The trader: one engine on one account, over a wire. Closed candles and the venue's messages in, orders out.

A decision, in this order: reconcile; let the ladder of models predict within its deadline; let the engine decide; hold
each order against the last gate; write the decision down; send. Messages of the venue are taken in between decisions,
never during one. What is known is in the journal before anything is sent, so a start is always a recovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from triptych.domain import (
    AbstractClock,
    Candle,
    Command,
    FundingPaid,
    MoveStop,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderReport,
    StreamState,
    SubmitOrder,
)
from triptych.domain.errors import ExchangeError, JournalError, LeaseError
from triptych.exchanges.gateway import PrivateMessage
from triptych.live.books import Books
from triptych.live.failover import Ladder
from triptych.live.gate import Circumstances, Gate
from triptych.live.journal import NoteWritten, StepRecorded, Switch, SwitchSet
from triptych.live.monitoring import Metrics
from triptych.live.observing import Observer
from triptych.live.reconciliation import Reconciler, Settled
from triptych.live.sender import Sender
from triptych.live.watching import Watcher
from triptych.trading.decision import Decision
from triptych.trading.guard import GuardActed
from triptych.trading.money import OthersHeld

Records = list[Decision | OrderDenied | GuardActed]


class Trader:
    """Runs one engine.

    Attributes:
        books: engine, journal and orders under way.
        is_ready: whether the last reconciliation reached the venue.
        standings: how each instrument stood at its last reconciliation.
        held_back: orders that the gate has not let through since the start.
    """

    def __init__(
        self,
        *,
        symbols: Sequence[str],
        books: Books,
        records: Records,
        ladder: Ladder,
        gate: Gate,
        sender: Sender,
        reconciler: Reconciler,
        clock: AbstractClock,
        metrics: Metrics,
        data_age_s: Callable[[str], float],
        note: Callable[[str, str, str, str], None],
        observer: Observer | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        """Join the parts.

        Args:
            symbols: what is traded.
            records: the list that the engine's observer fills; emptied at every decision.
            data_age_s: how old the newest message about an instrument is.
            note: told in words what a person should know: severity, topic, text, symbol.
            observer: measures every decision.
            watcher: reads the market for the engine's guard.
            books, ladder, gate, sender, reconciler, clock, metrics: the parts.
        """
        self.books, self.is_ready, self.held_back = books, False, 0
        self.standings = {symbol: Settled(is_settled=False, reason="not reconciled yet") for symbol in symbols}
        self._symbols, self._records, self._ladder, self._gate = tuple(symbols), records, ladder, gate
        self._sender, self._reconciler, self._clock, self._metrics = sender, reconciler, clock, metrics
        self._data_age_s, self._note, self._observer = data_age_s, note, observer
        self._watcher = watcher
        self._lock = asyncio.Lock()
        self._switch = Switch.RUN
        self._is_heard = True

    @property
    def is_in_doubt(self) -> bool:
        """Whether something is unknown that asking the venue will tell before long."""
        return not self._is_heard or any(one.is_passing for one in self.standings.values())

    @property
    def switch(self) -> Switch:
        """What the house allows itself."""
        return self._switch

    def reasons(self) -> dict[str, str]:
        """Why no decision may be taken now, by instrument or part; empty while all is well."""
        found = {symbol: one.reason for symbol, one in self.standings.items() if not one.is_settled}
        if not self.is_ready:
            found["venue"] = "it could not be asked when it last was"
        if not self._is_heard:
            found["messages"] = "the private stream is down"
        if not self.books.has_journal:
            found["journal"] = "it cannot be written"
        if self._switch is not Switch.RUN:
            found["switch"] = f"it stands at {self._switch}"
        return found

    async def start(self) -> None:
        """Recover from the journal and reconcile; the engine must have observed the candles up to now.

        Raises JournalError when the journal cannot be read, ExchangeError when the venue cannot be asked.
        """
        async with self._lock:
            self.books.recover()
            said = self.books.journal.switch()
            self._switch = said.switch if said is not None else Switch.RUN
            self._metrics.switch.set(list(Switch).index(self._switch))
            await self._settle_all()

    async def on_message(self, message: PrivateMessage) -> None:
        """Take in what the venue says of the account. Raises LeaseError when the right to write is lost."""
        async with self._lock:
            if isinstance(message, OrderFilled | FundingPaid):
                if message.symbol in self._symbols:
                    taken = self.books.take_executions([message])
                    fills = sum(isinstance(event, OrderFilled) for event in taken)
                    self._metrics.fills.labels(symbol=message.symbol).inc(fills)
            elif isinstance(message, OrderReport):
                self.books.take_report(message)
            elif isinstance(message, StreamState):
                # Down: messages are being missed. Up again: they have been.
                self.is_ready, self._is_heard = False, message.is_up
                if message.is_up:
                    await self._try_to_settle()

    def close(self) -> None:
        """Let go of all threads."""
        self._ladder.close()
        if self._watcher is not None:
            self._watcher.close()

    async def reconcile(self) -> bool:
        """Compare venue and books. Returns whether the venue could be asked about everything."""
        async with self._lock:
            return await self._try_to_settle()

    async def on_candles(self, candles: Sequence[Candle]) -> tuple[Command, ...]:
        """Decide on candles that closed at the same time, and send what follows. Returns what was sent.

        Without contact to the venue nothing is decided: the candles are observed. Raises LeaseError when the right to
        write is lost; nothing of this decision was sent then.
        """
        started = time.monotonic()
        async with self._lock:
            engine = self.books.engine
            engine.observe(candles)
            close_ms = candles[0].close_time_ms
            if close_ms <= self.books.last_close_ms:
                return ()
            if not await self._try_to_settle():
                self._note("critical", "blind", "no decision: the venue cannot be asked", "")
                return ()
            closes = {one.symbol: close_ms for one in candles if one.symbol in self.standings}
            reading = None if self._watcher is None else asyncio.create_task(self._watcher.read(engine, closes))
            outcome = await self._ladder.predict(engine, closes)
            readings = None if reading is None else await reading
            self._measure(outcome.seconds, outcome.failures, outcome.level)
            self._records.clear()
            halt = "trading was killed by hand" if self._switch is Switch.KILLED else ""
            commands = engine.decide(candles, outcome.predictions, halt=halt, readings=readings)
            self._tell_guard()
            sent = await self._carry_out(close_ms, commands, model=f"{outcome.name} {outcome.identity[:12]}".strip())
            if self._observer is not None:
                self._observer.on_decision(engine, outcome.predictions)
            self._metrics.decision.labels(timeframe=str(candles[0].timeframe)).observe(time.monotonic() - started)
            return sent

    async def observe(self, candles: Sequence[Candle]) -> None:
        """Take in candles that came too late to be decided on."""
        async with self._lock:
            self.books.engine.observe(candles)

    @contextlib.asynccontextmanager
    async def between_decisions(self) -> AsyncIterator[None]:
        """Nothing is decided and no message is taken in meanwhile."""
        async with self._lock:
            yield

    def _tell_guard(self) -> None:
        for one in self._records:
            if isinstance(one, GuardActed):
                text = f"{one.action}: {one.reason}"
                self.books.write(NoteWritten(topic="guard", text=text, symbol=one.symbol))
                self._note("warning", "guard", text, one.symbol)

    async def turn(self, switch: Switch, *, by: str, reason: str) -> tuple[Command, ...]:
        """Set what the house allows itself. Killing closes every position at once; returns what was sent for it."""
        async with self._lock:
            self._switch = switch
            self._metrics.switch.set(list(Switch).index(switch))
            self.books.write(SwitchSet(switch=switch, by=by, reason=reason))
            self._note("critical", "switch", f"{by} set the switch to {switch}: {reason}", "")
            if switch is not Switch.KILLED:
                return ()
            self._records.clear()
            now = self._clock.now_ms()
            commands = self.books.engine.flatten(now, f"killed by {by}: {reason}")
            return await self._carry_out(self.books.last_close_ms, commands, cause="switch")

    async def _carry_out(
        self,
        close_ms: int,
        commands: Sequence[Command],
        cause: Literal["candles", "switch"] = "candles",
        model: str = "",
    ) -> tuple[Command, ...]:
        """Gate, journal, wire: what is left of the commands is written and sent."""
        held = self._held()
        passed = tuple(command for command in commands if self._passes(command, held))
        decided_ms = self._clock.now_ms()
        step = replace(self._step(close_ms, passed, cause), model=model)
        try:
            started = time.monotonic()
            may_send = self.books.record(step, decided_ms)
            self._metrics.journal_append.observe(time.monotonic() - started)
        except LeaseError:
            raise
        except JournalError as error:
            passed = self._without_journal(step, decided_ms, error)
            may_send = True
        if not may_send:
            for command in passed:
                self._drop(command, "this close was decided on before")
            return ()
        if not await self._sender.send(passed, decided_ms):
            await self._try_to_settle()
        return passed

    def _held(self) -> dict[str, Decimal]:
        """By instrument, the signed quantity held once every order under way is filled."""
        held = {symbol: self.books.engine.portfolio.position(symbol).quantity for symbol in self._symbols}
        for order in self.books.under_way:
            held[order.symbol] += order.side.sign * order.quantity
        return held

    def _passes(self, command: Command, held: dict[str, Decimal]) -> bool:
        """Whether the gate lets a command out; `held` then counts what it will change."""
        if not isinstance(command, SubmitOrder):
            return True
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
                switch=self._switch,
                has_journal=self.books.has_journal,
                is_settled=self.standings[symbol].is_settled,
                is_heard=self._is_heard,
            ),
        )
        if not reason:
            held[symbol] += command.side.sign * command.quantity
        else:
            self.held_back += 1
            self._drop(command, f"held back at the gate: {reason}")
            self._records.append(
                OrderDenied(order_id=command.order_id, symbol=symbol, time_ms=command.time_ms, reason=reason)
            )
        return not reason

    def _drop(self, command: Command, reason: str) -> None:
        """An order that will not be sent is not under way."""
        if isinstance(command, SubmitOrder):
            self._metrics.orders_denied.labels(symbol=command.symbol).inc()
            self.books.engine.on_event(
                OrderRejected(order_id=command.order_id, symbol=command.symbol, time_ms=command.time_ms, reason=reason)
            )

    def _without_journal(self, step: StepRecorded, decided_ms: int, error: JournalError) -> tuple[Command, ...]:
        """Nothing is opened that is not written down; what closes or withdraws is sent all the same.

        Unless another process may have taken over: then nothing is sent, and the stops at the venue protect what is
        held.
        """
        self._note("critical", "journal", error.message, "")
        lease, kept = self.books.journal.lease, tuple[Command, ...]()
        if lease is not None and lease.is_surely_ours():
            kept = tuple(c for c in step.commands if not isinstance(c, SubmitOrder) or c.reduce_only)
        else:
            self._note("critical", "journal", "nobody can tell who holds the lease: nothing is sent", "")
        for command in step.commands:
            if command not in kept:
                self._drop(command, "the journal cannot be written")
        self.books.follow(replace(step, commands=kept), decided_ms)
        return kept

    def _step(self, close_ms: int, commands: tuple[Command, ...], cause: Literal["candles", "switch"]) -> StepRecorded:
        state = self.books.engine.state()
        stops = dict(self.books.stops)
        for command in commands:
            if isinstance(command, SubmitOrder) and (command.stop_loss is not None or command.take_profit is not None):
                stops[command.symbol] = command.stop_loss, command.take_profit
            elif isinstance(command, MoveStop):
                stops[command.symbol] = command.stop_loss, stops.get(command.symbol, (None, None))[1]
        return StepRecorded(
            close_ms=close_ms,
            decisions=tuple(one for one in self._records if isinstance(one, Decision)),
            denials=tuple(one for one in self._records if isinstance(one, OrderDenied)),
            commands=commands,
            # Which fills were entered is known to the journal itself, by their keys.
            state=replace(state, portfolio=replace(state.portfolio, fill_ids=())),
            stops=stops,
            cause=cause,
        )

    async def _try_to_settle(self) -> bool:
        try:
            await self._settle_all()
        except ExchangeError as error:
            self.is_ready = False
            self.standings = {s: Settled(is_settled=False, reason=error.message) for s in self._symbols}
            self._note("warning", "unreachable", error.message, "")
        self._metrics.ready.set(self.is_ready)
        return self.is_ready

    async def _settle_all(self) -> None:
        self.standings = await self._reconciler.settle(self._symbols)
        self.is_ready = True
        unknown = sum("unknown to the venue" in one.reason for one in self.standings.values())
        self._metrics.unknown_orders.set(unknown)

    def _measure(self, seconds: object, failures: object, level: int) -> None:
        assert isinstance(seconds, dict)
        assert isinstance(failures, dict)
        for name, one in seconds.items():
            self._metrics.inference.labels(model=name).observe(one)
        for name in failures:
            self._metrics.model_failures.labels(model=name).inc()
        self._metrics.fallback_level.set(level)
        if failures:
            text = "; ".join(f"{name}: {why}" for name, why in failures.items())
            self.books.write(NoteWritten(topic="fallback", text=text))
