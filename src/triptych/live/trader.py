"""The trader: one engine on one account, over a wire. Closed candles and the venue's messages in, orders out.

A decision, in this order: reconcile; let the ladder of models predict within its deadline; let the engine decide; hold
each order against the last gate; write the decision down; send. Messages of the venue are taken in between decisions,
never during one. What is known is in the journal before anything is sent, so a start is always a recovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from triptych.domain import (
    AbstractClock,
    Candle,
    Command,
    FundingPaid,
    OrderFilled,
    OrderReport,
    OrderStatus,
    StreamState,
)
from triptych.exchanges.gateway import PrivateMessage
from triptych.inference.watch import Reading
from triptych.live.books import Books
from triptych.live.closing import Closer, Closure
from triptych.live.cutting import CutShort, Cuttable
from triptych.live.dispatch import Dispatcher, Records, Standing
from triptych.live.failover import Ladder, Outcome
from triptych.live.gate import RATE_WINDOW_MS, Gate
from triptych.live.holding import HeldBack
from triptych.live.journal import Cause, NoteWritten, Switch, SwitchSet
from triptych.live.letting_go import let_go
from triptych.live.missed import Missed
from triptych.live.monitoring import Metrics
from triptych.live.observing import Observer, measure
from triptych.live.reconciliation import Reconciler, Settled
from triptych.live.rules import Rules
from triptych.live.sender import Sender
from triptych.live.settling import Settler
from triptych.live.silence import Silence
from triptych.live.watching import Watcher, tell_guard


class Trader:
    """Runs one engine.

    Attributes:
        books: engine, journal and orders under way.
        rules: of the venue, as they are now; None where they stay as they are.
        held: entries that a limit has held back, and why.
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
        market_clock: AbstractClock | None = None,
        rules: Rules | None = None,
    ) -> None:
        """Join the parts.

        Args:
            symbols: what is traded.
            records: the list that the engine's observer fills; emptied at every decision.
            data_age_s: how old the newest message about an instrument is.
            note: told in words what a person should know: severity, topic, text, symbol.
            observer: measures every decision.
            watcher: reads the market for the engine's guard.
            market_clock: of the candles, where it is not `clock`: it says how late a decision is.
            rules: of the venue, asked for again while the house runs; None: they stay as they are.
            books, ladder, gate, sender, reconciler, clock, metrics: the parts.
        """
        self.books = books
        self._symbols, self._records, self._ladder, self._gate = tuple(symbols), records, ladder, gate
        self._reconciler, self._metrics, self._sender = reconciler, metrics, sender
        self._data_age_s, self._note, self._observer, self._watcher = data_age_s, note, observer, watcher
        self._dispatcher = Dispatcher(
            books=books, records=records, gate=gate, sender=sender, clock=clock, market_clock=market_clock or clock,
            metrics=metrics, data_age_s=lambda symbol: self._data_age_s(symbol), note=note,
        )  # fmt: skip
        self.rules = rules
        if rules is not None:
            sender.doubt_rules = rules.doubt
        if observer is not None:
            ladder.on_trial = lambda outcome: observer.on_trial(books.engine, outcome)
        self._lock = asyncio.Lock()
        self._switch = Switch.RUN
        self._is_heard = True
        metrics.ready.set_function(lambda: float(not self.reasons()))  # what /readyz says
        metrics.unknown_orders.set_function(lambda: len(self.books.unknown))
        self._closer = Closer(
            symbols=self._symbols, books=books, gateway=reconciler.gateway, sender=sender, clock=clock,
            carry_out=self._carry_out_closes,
        )  # fmt: skip
        self.held, self._cuttable = HeldBack(note=note), Cuttable()
        self._missed = Missed(books=books, watcher=watcher, metrics=metrics, note=lambda *said: self._note(*said))
        self._settler = Settler(
            symbols=self._symbols, books=books, records=records, reconciler=reconciler, rules=rules,
            closer=self._closer, cuttable=self._cuttable, carry_out=self._carry_out_closes,
            is_killed=lambda: self._switch is Switch.KILLED, note=lambda *said: self._note(*said),
        )  # fmt: skip
        metrics.reconciliation_age.set_function(lambda: time.monotonic() - self._settler.settled_s)

    @property
    def is_ready(self) -> bool:
        """Whether the last reconciliation reached the venue."""
        return self._settler.is_ready

    @property
    def standings(self) -> Mapping[str, Settled]:
        """How each instrument stood at its last reconciliation."""
        return self._settler.standings

    @property
    def silence(self) -> Silence:
        """Of the venue, when it could not be asked."""
        return self._settler.silence

    @property
    def closure(self) -> Closure | None:
        """What the last attempt to close everything came to, after a kill; None while nobody has killed."""
        return self._closer.last

    @property
    def is_in_doubt(self) -> bool:
        """Whether something is unknown that asking the venue will tell before long."""
        return not self.is_ready or not self._is_heard or any(one.is_passing for one in self.standings.values())

    @property
    def held_back(self) -> int:
        """Orders that the gate has not let through since the start."""
        return self._dispatcher.held_back

    @property
    def _standing(self) -> Standing:
        return Standing(switch=self._switch, standings=self.standings, is_heard=self._is_heard)

    async def _carry_out_closes(self, commands: Sequence[Command], cause: Cause = "switch") -> tuple[Command, ...]:
        close_ms = self.books.last_close_ms
        return (await self._dispatcher.carry_out(close_ms, commands, self._standing, cause=cause)).sent

    @property
    def switch(self) -> Switch:
        """What the house allows itself."""
        return self._switch

    def reasons(self) -> dict[str, str]:
        """Why no decision may be taken now, by instrument or part; empty while all is well."""
        found = self._settler.reasons()
        if not self._is_heard:
            found["messages"] = "the private stream is down"
        if not self.books.has_journal:
            found["journal"] = "it cannot be written"
        if self.rules is not None:
            found |= self.rules.reasons()
        if self._gate.opens_nothing:
            found["capital"] = self._gate.opens_nothing
        if self._switch is not Switch.RUN:
            found["switch"] = f"it stands at {self._switch}"
        return found

    def recall(self) -> int:
        """Before any candle is observed: the time after which closes may have been missed; see `Missed.recall`.

        What closed by then is for `observe`, what closed since for `pass_by`, and then `start`.
        """
        return self._missed.recall()

    def lack(self, symbol: str, closes: range) -> None:
        """Take note of missed closes whose candles are not at hand; see `Missed.lack`."""
        self._missed.lack(symbol, closes)

    async def start(self) -> None:
        """Recover from the journal and reconcile; the engine must have observed the candles up to now.

        Raises JournalError when the journal cannot be read, ExchangeError when the venue cannot be asked, DataError
        when something is held in an instrument that is not traded any more.
        """
        async with self._lock:
            let_go(self.books, lambda text, symbol: self._note("warning", "instrument", text, symbol))
            now_ms = self._reconciler.clock.now_ms()
            self._gate.remember(self.books.openings_since(now_ms - RATE_WINDOW_MS), now_ms)
            said = self.books.switch.read()
            self._switch = said.switch if said is not None else Switch.RUN
            self._metrics.switch.set(list(Switch).index(self._switch))
            if self._observer is not None:
                self._observer.restore(self.books.peak_equity)
            if self._switch is Switch.KILLED:  # whether everything was closed, the venue must say again
                self._closer.due.set()
                await self._settler.settle()
            else:
                await self._settler.begin()

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
                if self.rules is not None and message.status is OrderStatus.REJECTED:
                    self.rules.doubt()
            elif isinstance(message, StreamState):
                # Down: messages are being missed. Up again: they have been.
                self._settler.is_ready, self._is_heard = False, message.is_up
                if message.is_up:
                    await self._settler.settle()

    def close(self) -> None:
        """Let go of all threads."""
        self._ladder.close()
        if self._watcher is not None:
            self._watcher.close()

    async def reconcile(self) -> bool:
        """Compare venue and books. Returns whether the venue could be asked about everything.

        Raises AuthenticationRefused or Banned where the venue has shut us out for good: nothing may be asked again.
        """
        async with self._lock:
            return await self._settler.settle()

    async def on_candles(self, candles: Sequence[Candle]) -> tuple[Command, ...]:
        """Decide on candles that closed at the same time, and send what follows. Returns what was sent.

        Without contact to the venue nothing is decided: the candles are observed, and the guard looks. Raises
        LeaseError when the right to write is lost; nothing of this decision was sent then.
        """
        started = time.monotonic()
        async with self._lock:
            engine = self.books.engine
            engine.observe(candles)
            close_ms = candles[0].close_time_ms
            if close_ms <= self.books.last_close_ms:
                return ()
            if self._closer.due.is_set():
                closure = await self._close_everything()
                if closure.is_holding or closure.commands:
                    await self._miss(candles)
                    return closure.commands
            if not await self._settler.settle():
                self._note("critical", "blind", "no decision: the venue cannot be asked", "")
                await self._miss(candles)
                return ()
            closes = {one.symbol: close_ms for one in candles if one.symbol in self.standings}
            try:
                outcome, readings = await self._cuttable.wait_for(self._foresee(closes))
            except CutShort:
                self._missed.owe(candles)
                return ()
            self._missed.value()
            if failures := measure(self._metrics, outcome):
                self.books.write(NoteWritten(topic="fallback", text=failures))
            self._records.clear()
            halt = "trading was killed by hand" if self._switch is Switch.KILLED else ""
            commands = engine.decide(candles, outcome.predictions, halt=halt, readings=readings)
            tell_guard(self._records, self.books, self._note)
            for symbol, blind in engine.guard.blind.items():
                self._metrics.guard_blind.labels(symbol=symbol).set(blind)
            carried = await self._dispatcher.carry_out(
                close_ms, commands, self._standing, model=f"{outcome.name} {outcome.identity[:12]}".strip(),
                timeframe_ms=candles[0].timeframe.milliseconds,
            )  # fmt: skip
            self.held.take(self._records, carried.sent)
            if not carried.is_answered:
                await self._settler.settle()
            if self._observer is not None:
                self._observer.on_decision(engine, outcome, closes)
                if heeded := self._observer.heed(engine, self._ladder):
                    self.books.write(NoteWritten(topic="drift", text=heeded))
                    self._note("warning", "drift policy", heeded, "")
            self._metrics.decision.labels(timeframe=str(candles[0].timeframe)).observe(time.monotonic() - started)
            return carried.sent

    async def _foresee(self, closes: Mapping[str, int]) -> tuple[Outcome, Mapping[str, Reading | None] | None]:
        """Predictions, and beside them the readings of the guard's watch, once it has looked at what was missed."""
        engine, watcher = self.books.engine, self._watcher
        await self._missed.work_off()
        reading = None if watcher is None else asyncio.create_task(watcher.read(engine, closes))
        try:
            outcome = await self._ladder.predict(engine, closes)
            return outcome, None if reading is None else await reading
        finally:
            if reading is not None:
                reading.cancel()

    async def observe(self, candles: Sequence[Candle]) -> None:
        """Take in candles from before the first decision, and those that an earlier process has seen."""
        async with self._lock:
            self.books.engine.observe(candles)

    async def pass_by(self, candles: Sequence[Candle], *, deadline_s: float | None = None) -> None:
        """Take in candles that are not decided on: they came too late, or were missed. The guard looks all the same.

        `deadline_s` is that of the guard's reading, where it is another than usual.
        """
        async with self._lock:
            self.books.engine.observe(candles)
            await self._miss(candles, deadline_s)

    async def _miss(self, candles: Sequence[Candle], deadline_s: float | None = None) -> None:
        """With the lock held. A kill waits for no reading: what it cuts short is made up for later."""
        self._missed.owe(candles, deadline_s)
        if self._closer.due.is_set() and self.closure is None:  # a kill waits for the lock
            return
        with contextlib.suppress(CutShort):
            await self._cuttable.wait_for(self._missed.work_off())

    @contextlib.asynccontextmanager
    async def between_decisions(self) -> AsyncIterator[None]:
        """Nothing is decided and no message is taken in meanwhile."""
        async with self._lock:
            yield

    async def turn(self, switch: Switch, *, by: str, reason: str) -> Closure:
        """Set what the house allows itself: at once in memory, then on the disk, and told last, so that nothing on the
        way can keep it from closing. Returns what the first attempt to close everything came to, where trading was
        killed: models, questions and orders on their way are not waited for, but cut short. An order on its way is
        unknown then, and asked for by its id. `keep_closing` goes on from there.

        Raises LeaseError when the right to write is lost.
        """
        is_killed = switch is Switch.KILLED
        self._switch, self._closer.last = switch, None
        self._metrics.switch.set(list(Switch).index(switch))
        if is_killed:
            self._closer.begin()
        else:
            self._closer.due.clear()
        self.books.switch.set(SwitchSet(switch=switch, by=by, reason=reason))
        if is_killed:
            self._cuttable.cut()
            self._sender.cut("trading was killed")
        self._note("critical", "switch", f"{by} set the switch to {switch}: {reason}", "")
        if not is_killed:
            return Closure(is_holding=False)
        async with self._lock:
            return await self._close_everything(f"killed by {by}: {reason}")

    async def heed_marker(self) -> None:
        """Turn the switch where somebody has said so in the file beside the journal. Raises LeaseError as `turn`."""
        if (asked := self.books.switch.asked(self._switch)) is not None:
            await self.turn(asked.switch, by=asked.by, reason=asked.reason)

    async def keep_closing(self) -> None:
        """For ever: after a kill, close again and again until the venue says that nothing is held.

        Raises LeaseError when the right to write is lost, AuthenticationRefused or Banned where the venue has shut us
        out for good.
        """
        while True:
            await self._closer.due.wait()
            if self.closure is not None:
                await asyncio.sleep(self._closer.wait_s)
            async with self._lock:
                if self._closer.due.is_set():
                    await self._close_everything()
                    if self._closer.shut_out is not None:
                        raise self._closer.shut_out
                    if self._closer.due.is_set() and self.closure is not None and not self.closure.is_holding:
                        await self._settler.settle()  # what became of entries under way, only this can tell

    async def _close_everything(self, reason: str = "trading was killed by hand") -> Closure:
        """One attempt, with the lock held."""
        self._records.clear()
        before = self.closure
        closure = await self._closer.attempt(reason)
        told = closure.problems or closure.pending
        if closure.closed and self._switch is Switch.KILLED:
            self._closer.due.clear()
            self._note("warning", "closed", "killed: the venue holds nothing any more", "")
        elif told and (before is None or before.problems != closure.problems):
            self._note("critical", "closing", "; ".join((*closure.pending, *closure.problems)), "")
        return closure
