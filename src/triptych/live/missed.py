"""Closes at which nothing was decided: the guard looks at them and the limits hear of their equities all the same.

A close is missed while no process runs, when its candles come late or out of a gap, when the venue cannot be asked, and
when a kill comes first. Each is gone through once, in order, before the next decision; what follows from it happens at
the next decision that is possible. What was gone through is journalled with the engine at that decision. Whoever dies
before it goes through the same closes again, from the same candles, and notes no act twice.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from triptych.domain import Candle, FundingPaid, OrderFilled, utc
from triptych.domain.errors import JournalError
from triptych.inference.base import AbstractView
from triptych.live.books import Books
from triptych.live.failover.snapshot import Snapshot
from triptych.live.journal import NoteWritten, StepRecorded
from triptych.live.journal.journal import Entry
from triptych.live.monitoring import Metrics
from triptych.live.watching import Watcher
from triptych.trading.guard import GuardActed
from triptych.trading.portfolio import Portfolio

TOPIC = "guard"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Owed:
    """A close that the guard still has to look at, and what was known then."""

    close_ms: int
    closes: Mapping[str, int]
    view: AbstractView
    deadline_s: float | None


class Missed:
    """Goes through missed closes; the caller sees to it that nothing is decided meanwhile."""

    def __init__(
        self,
        *,
        books: Books,
        watcher: Watcher | None,
        metrics: Metrics,
        note: Callable[[str, str, str, str], None],
    ) -> None:
        """Join the parts; see `Trader`. Without a watcher the guard asks its watch itself."""
        self._books, self._watcher, self._metrics, self._note = books, watcher, metrics, note
        self._owed: deque[_Owed] = deque()
        self._marks: dict[int, dict[str, float]] = {}
        self._noted: set[tuple[str, str]] = set()

    def recall(self) -> int:
        """Become the guard of the journal, before any candle is observed.

        Returns the time after which closes may have been missed, UTC ms; -1 where there is nothing to make up for: the
        journal holds no decision, or nothing looks at closes. Raises JournalError when it cannot be read.
        """
        engine, last = self._books.engine, self._books.journal.last(StepRecorded)
        if last is None:
            return -1
        step = last.record
        assert isinstance(step, StepRecorded)
        engine.guard.restore(step.state.guard)
        engine.risk.restore(step.state.risk)
        decided = self._last_decision()
        with contextlib.closing(
            self._books.journal.entries(after=decided.seq if decided else 0, kinds=(NoteWritten,))
        ) as notes:
            told = [one.record for one in notes if isinstance(one.record, NoteWritten)]
        self._noted = {(one.symbol, one.text) for one in told if one.topic == TOPIC}
        resumed = engine.guard.resume_ms(engine.symbols, step.close_ms), engine.risk.resume_ms(step.close_ms)
        return min((one for one in resumed if one >= 0), default=-1)

    def owe(self, candles: Sequence[Candle], deadline_s: float | None = None) -> None:
        """Remember a close, whose candles the engine has observed, until `work_off`.

        `deadline_s` is that of its reading, where it is another than usual.
        """
        engine, close_ms = self._books.engine, candles[0].close_time_ms
        traded = {one.symbol: one.close for one in candles if one.symbol in engine.symbols}
        self._marks.setdefault(close_ms, {}).update(traded)
        # Candles that come late may complete a reading of instruments that have had theirs.
        closes = {symbol: close_ms for symbol in engine.symbols if engine.newest_ms(symbol) == close_ms}
        if closes and engine.guard.awaits(closes):
            view = Snapshot(engine, engine.guard.length, (*closes, *engine.guard.watched))
            self._owed.append(_Owed(close_ms=close_ms, closes=closes, view=view, deadline_s=deadline_s))

    async def work_off(self) -> None:
        """Let the guard look at what is owed, oldest first. What a cancellation leaves is owed still."""
        engine = self._books.engine
        while self._owed:
            one = self._owed[0]
            readings = None
            if self._watcher is not None:
                readings = await self._watcher.read(one.view, one.closes, deadline_s=one.deadline_s)
            self._owed.popleft()
            is_newest = max(engine.newest_ms(symbol) for symbol in engine.symbols) == one.close_ms
            self._tell(engine.guard.look(engine if is_newest else one.view, one.closes, readings))

    def lack(self, symbol: str, closes: range) -> None:
        """Count closes of an instrument, UTC ms, whose candles nobody has any more, as closes without a reading."""
        engine = self._books.engine
        lacking = [close_ms for close_ms in closes if engine.guard.awaits({symbol: close_ms})]
        if not lacking or not engine.guard.knows(symbol):
            return
        text = (
            f"{len(lacking)} closes from {utc(lacking[0])} to {utc(lacking[-1])} UTC were missed, and their candles "
            "are not at hand: they count as closes without a reading"
        )
        self._write(symbol, text)
        for close_ms in lacking:
            self._tell(engine.guard.look(engine, {symbol: close_ms}, {}))

    def value(self) -> None:
        """Tell the limits of the equities at missed closes; every fill since the last decision must be in the books.

        What was held at each is worked out by the times of the fills: a stop may have closed it in between.
        """
        marks, self._marks = self._marks, {}
        risk = self._books.engine.risk
        if not marks or risk.resume_ms(0) < 0:
            return
        try:
            decided = self._last_decision()
            if decided is None:
                return
            with contextlib.closing(
                self._books.journal.entries(after=decided.seq, kinds=(OrderFilled, FundingPaid))
            ) as entries:
                records = [one.record for one in entries]
        except JournalError:  # told of already; the limits go on from the last equity they know
            return
        step = decided.record
        assert isinstance(step, StepRecorded)
        held = Portfolio(step.state.portfolio.initial_capital)
        held.restore(step.state.portfolio)
        since = [one for one in (*records, *self._books.kept_aside) if isinstance(one, OrderFilled | FundingPaid)]
        events = deque(sorted(since, key=lambda one: one.time_ms))
        for close_ms in sorted(close_ms for close_ms in marks if close_ms > step.close_ms):
            while events and events[0].time_ms <= close_ms:
                held.apply(events.popleft())
            for symbol, price in marks[close_ms].items():
                held.mark(symbol, price)
            risk.on_missed(close_ms, held.equity())

    def _last_decision(self) -> Entry | None:
        """The newest step at a close; those between two closes tell nothing of it."""
        with contextlib.closing(self._books.journal.entries(kinds=(StepRecorded,), newest_first=True)) as steps:
            for entry in steps:
                if isinstance(entry.record, StepRecorded) and entry.record.cause == "candles":
                    return entry
        return None

    def _tell(self, acts: Sequence[GuardActed]) -> None:
        for one in acts:
            text = f"{one.action} by the close of {utc(one.time_ms)} UTC, at which nothing was decided: {one.reason}"
            self._write(one.symbol, text)
        for symbol, blind in self._books.engine.guard.blind.items():
            self._metrics.guard_blind.labels(symbol=symbol).set(blind)

    def _write(self, symbol: str, text: str) -> None:
        if (symbol, text) not in self._noted:
            self._books.write(NoteWritten(topic=TOPIC, text=text, symbol=symbol))
        self._note("warning", TOPIC, text, symbol)
