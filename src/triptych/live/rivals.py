"""Rivals: other sessions that open positions in the same account, with a journal of their own.

The lease keeps two writers of one journal apart. It knows nothing of a second journal: a copy of the file, or a session
started in another folder. The account does: every order that opens something bears the token of its session, and stands
in the session's journal before it is sent. An order that opens, bears a token and stands in no decision of our journal
was sent by somebody else, whatever name it goes by.

A start that finds such a one at work is refused. Between two that find each other while they run the higher token wins,
and whoever has opened nothing yet gives way; whoever stays opens nothing until the other has been silent for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from triptych.domain import AbstractClock, FundingPaid, OrderFilled, OrderReport
from triptych.domain.errors import JournalError, LeaseError
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.journal import Journal, NoteWritten
from triptych.trading.order_id import opener_token

_REMEDY = (
    "One session trades an account: stop the other one. When it is surely dead, wait until it has been silent for "
    "reconciliation.rival_minutes; what it has traded is entered then, or by `triptych reconcile --repair`."
)


class Rivals:
    """Looks for them at every reconciliation; the journal's lease must be held."""

    def __init__(
        self,
        *,
        journal: Journal,
        gateway: AbstractGateway,
        clock: AbstractClock,
        quiet_minutes: float,
        note: Callable[[str, str, str, str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet.

        Args:
            journal: of this session.
            gateway: of the account.
            clock: ours.
            quiet_minutes: for how long a rival must have opened nothing; 0 looks at none.
            note: told in words what a person should know: severity, topic, text, symbol.
            now_s: seconds that never jump.
        """
        self._journal, self._gateway, self._clock, self._note = journal, gateway, clock, note
        self._quiet_s, self._now_s = quiet_minutes * 60, now_s
        self._begun = self._has_opened = False
        self._ours: set[str] = set()
        self._theirs: set[str] = set()
        self._heard_s = float("-inf")
        self._told = ""

    async def look(
        self,
        symbols: Sequence[str],
        executions: Iterable[OrderFilled | FundingPaid],
        opened: Iterable[OrderReport],
    ) -> str:
        """Why nothing may be opened, or nothing.

        Raises LeaseError when this session must give way, ExchangeError when the venue cannot be asked at a start.
        """
        if not self._quiet_s:
            return ""
        opened = list(opened)
        if not self._begun:
            await self._begin(symbols, opened)
        fills = [one for one in executions if isinstance(one, OrderFilled)]
        found = self._strangers([*(one.order_id for one in fills), *(one.order_id for one in opened)])
        new = [one for one in found if one not in self._theirs]
        self._theirs.update(new)
        if new:
            self._meet(new)
        if self._now_s() - self._heard_s < self._quiet_s:
            return self._told
        if self._told:
            self._tell("warning", "the other session has been silent: entries are allowed again")
            self._told = ""
        return ""

    async def _begin(self, symbols: Sequence[str], opened: Sequence[OrderReport]) -> None:
        now_ms, quiet_ms = self._clock.now_ms(), round(self._quiet_s * 1000)
        past = await self._gateway.executions(symbols, now_ms - quiet_ms)
        recent = [one.order_id for one in past if isinstance(one, OrderFilled)]
        recent += [one.order_id for one in opened if 0 <= now_ms - one.updated_ms < quiet_ms]
        acting = self._strangers(recent)
        if acting:
            raise self._gives_way(
                f"has opened a position by order {acting[-1]} in the last {self._quiet_s / 60:g} minutes"
            )
        self._theirs.update(self._strangers([one.order_id for one in opened]))
        self._begun = True

    def _meet(self, new: Sequence[str]) -> None:
        """Somebody has opened something since our start."""
        assert self._journal.lease is not None
        theirs = max(opener_token(one) or 0 for one in new)
        self._heard_s = self._now_s()
        self._told = f"another session opens positions in this account, by order {new[-1]}"
        self._tell("critical", self._told)
        if theirs > self._journal.lease.token or not self._has_opened:
            raise self._gives_way(f"opens positions, by order {new[-1]}")

    def _gives_way(self, what: str) -> LeaseError:
        return LeaseError(
            f"{self._journal.name}: another session of this account, which does not write this journal, {what}.",
            remedy=_REMEDY,
        )

    def _tell(self, severity: str, text: str) -> None:
        self._note(severity, "rival", text, "")
        try:
            self._journal.append(NoteWritten(topic="rival", text=text))
        except LeaseError:
            raise
        except JournalError:
            return  # it was told

    def _strangers(self, order_ids: Iterable[str]) -> list[str]:
        """Those of these orders that open something and that no decision of ours stands behind."""
        assert self._journal.lease is not None
        found = []
        for one in dict.fromkeys(order_ids):
            token = opener_token(one)
            if token is None or one in self._ours:
                continue
            if one not in self._theirs and self._is_decided(one):
                self._ours.add(one)
                self._has_opened |= token == self._journal.lease.token
            else:
                found.append(one)
        return found

    def _is_decided(self, order_id: str) -> bool:
        """A journal that cannot be read is no evidence against anybody: nothing is opened then anyway."""
        try:
            return self._journal.has_decided(order_id)
        except JournalError:
            return True
