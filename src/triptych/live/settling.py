"""Settling: venue and books are compared, unless a kill comes first, and what must not be held any more is closed.

While the venue does not answer nothing is settled, and one is told once; where it has shut us out for good it is not
asked again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from triptych.domain import Command
from triptych.domain.errors import AuthenticationRefused, Banned, ExchangeError
from triptych.live.books import Books
from triptych.live.closing import Closer
from triptych.live.cutting import CutShort, Cuttable
from triptych.live.dispatch import Records
from triptych.live.journal import Cause, NoteWritten
from triptych.live.reconciliation import Reconciler, Settled
from triptych.live.rules import Rules
from triptych.live.silence import Silence


class Settler:
    """Settles all instruments of a session; the caller sees to it that nothing is decided meanwhile.

    Attributes:
        is_ready: whether the last reconciliation reached the venue.
        standings: how each instrument stood at its last reconciliation.
        silence: of the venue, when it could not be asked.
        settled_s: when the venue was last asked about everything, by the monotonic clock; the start before that.
    """

    def __init__(
        self,
        *,
        symbols: Sequence[str],
        books: Books,
        records: Records,
        reconciler: Reconciler,
        rules: Rules | None,
        closer: Closer,
        cuttable: Cuttable,
        carry_out: Callable[[Sequence[Command], Cause], Awaitable[tuple[Command, ...]]],
        is_killed: Callable[[], bool],
        note: Callable[[str, str, str, str], None],
    ) -> None:
        """Join the parts.

        Args:
            carry_out: gates, writes and sends commands that close, each with its cause.
            is_killed: whether trading was killed.
            note: as for the trader.
            symbols, books, records, reconciler, rules, closer, cuttable: the trader's.
        """
        self.is_ready, self.silence, self.settled_s = False, Silence(), time.monotonic()
        self.standings = {symbol: Settled(is_settled=False, reason="not reconciled yet") for symbol in symbols}
        self._symbols, self._books, self._records = tuple(symbols), books, records
        self._reconciler, self._rules, self._closer, self._cuttable = reconciler, rules, closer, cuttable
        self._carry_out, self._is_killed, self._note = carry_out, is_killed, note

    def reasons(self) -> dict[str, str]:
        """Why nothing may be decided, by instrument, and of the venue; empty while all is well."""
        found = {symbol: one.reason for symbol, one in self.standings.items() if not one.is_settled}
        if not self.is_ready:
            found["venue"] = "it could not be asked when it last was"
        return found

    async def begin(self) -> None:
        """Settle at the start of a session. Raises ExchangeError when the venue cannot be asked."""
        try:
            await self._settle_all()
        except CutShort:
            self._unsettled("the reconciliation was cut short: trading was killed")

    async def settle(self) -> bool:
        """Settle if that is possible. Returns whether the venue could be asked about everything.

        Raises AuthenticationRefused or Banned where the venue has shut us out for good: nothing may be asked again.
        """
        if self._closer.comes_first:
            return self._unsettled("trading was killed: closing comes first")
        try:
            await self._settle_all()
        except CutShort:
            return self._unsettled("the reconciliation was cut short: trading was killed")
        except (AuthenticationRefused, Banned) as error:  # asking again makes it worse
            self._unsettled(error.message)
            self._tell("critical", f"{error.message} The session ends; stops lie at the venue.", "refused")
            raise
        except ExchangeError as error:
            if self.silence.goes_on(error):
                self._tell("warning", error.message)
            return self._unsettled(error.message)
        if told := self.silence.ends():
            self._tell("info", told)
        return self.is_ready

    def _tell(self, severity: str, text: str, topic: str = "unreachable") -> None:
        """Once when it falls silent and once when it answers again, however often it is asked in between."""
        self._books.write(NoteWritten(topic=topic, text=text))
        self._note(severity, topic, text, "")

    def _unsettled(self, reason: str) -> bool:
        self.is_ready = False
        self.standings = {symbol: Settled(is_settled=False, reason=reason) for symbol in self._symbols}
        return False

    async def _settle_all(self) -> None:
        """Reconcile, unless a kill cuts it short: every await of it is a point at which a process may die as well."""
        await self._cuttable.wait_for(self._reconcile())
        await self._leave()

    async def _reconcile(self) -> None:
        is_killed = self._is_killed()
        self.standings = await self._reconciler.settle(self._symbols, is_killed=is_killed)
        self.is_ready, self.settled_s = True, time.monotonic()
        certain = [symbol for symbol, one in self.standings.items() if not one.is_passing or one.must_close]
        if is_killed and any(self._reconciler.reports[symbol].quantity for symbol in certain):
            self._closer.due.set()  # somebody has opened something since

    async def _leave(self) -> None:
        """Close at market what must not be held without its stop, or beyond the end of its instrument; after a kill
        everything is closed anyway.
        """
        leaving = {symbol: one.must_close for symbol, one in self.standings.items() if one.must_close}
        if self._rules is not None:
            leaving |= {symbol: why for symbol, why in self._rules.leaving.items() if self.standings[symbol].is_ours}
        if leaving and not self._closer.due.is_set():
            self._records.clear()
            engine, now = self._books.engine, self._reconciler.clock.now_ms()
            if commands := [c for symbol, why in leaving.items() for c in engine.leave(symbol, now, why)]:
                await self._carry_out(commands, "stop")
