"""The right to write: one holder at a time, told apart by a token that only ever grows.

Every append checks, inside its own transaction, that the writer's token is still the newest. A process that slept, or
was cut off, and wakes after another has taken over finds a newer token and stops: two live writers are impossible, not
merely unlikely. The token also stands in the ids of orders, so that an order tells who has sent it.

Whoever holds the lease renews it; when it has run out, or its holder's process is one that can be seen from here to be
dead, another may take it. Times are the database's own, so that clocks of several machines do not matter (SQLite lives
on one machine).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from triptych.domain.clock import AbstractClock, SystemClock
from triptych.domain.errors import JournalError, LeaseError
from triptych.live.journal.database import leases
from triptych.live.journal.process import UNKNOWN, is_process_alive, machine_id, started_of

FEW: Final = 1_000
"""Journals of early versions all counted from 1, and hardly came this far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseView:
    """Who holds the right to write, and until when (UTC ms of the database).

    `machine` and `started` tell which process `pid` of `host` is, see `process`; empty in leases of earlier versions.
    """

    token: int
    owner: str
    host: str
    pid: int
    expires_ms: int
    machine: str = ""
    started: str = ""


class Lease:
    """The right of one process to write the journal `name`.

    Attributes:
        token: grows with every acquisition; 0 while nothing was acquired.
    """

    def __init__(
        self,
        database: sa.Engine,
        name: str,
        *,
        owner: str,
        duration_ms: int = 15_000,
        clock: AbstractClock | None = None,
        is_alive: Callable[[int], bool] = is_process_alive,
        first_token: int = 1,
    ) -> None:
        """Nothing is acquired yet.

        Args:
            database: of the journal.
            name: of the trading instance.
            owner: who asks, for people.
            duration_ms: for how long a lease is given; renew it several times within.
            clock: of SQLite's machine; None takes the machine's own. PostgreSQL is asked for its time.
            is_alive: whether a process of this machine runs.
            first_token: of a new journal; drawn by chance, so that two journals of one account hardly ever share one.
                One that counts from 1 is raised by it at its next start: the ids of its orders then name it as well.
        """
        self.token = 0
        self.name, self._first_token = name, first_token
        self._database, self._owner, self._duration_ms = database, owner, duration_ms
        self._clock, self._is_alive = clock or SystemClock(), is_alive
        self._renewed_s = float("-inf")
        self._host, self._pid, self._machine = socket.gethostname(), os.getpid(), machine_id()

    def acquire(self) -> int:
        """Take the right to write, under a new token.

        Raises LeaseError while another living holder has it, JournalError when the database refuses.
        """
        with self._transaction() as connection:
            now = self._now_ms(connection)
            held = self._row(connection, lock=True)
            if held is not None and held.expires_ms > now and not self._is_dead(held):
                raise LeaseError(
                    f"{self.name} is being traded by {held.owner} (process {held.pid} on {held.host}) for at least "
                    f"{(held.expires_ms - now) / 1000:.1f} s more.",
                    remedy="Stop that one first, start this one as a standby, or trade under another name.",
                )
            token = self._first_token
            if held is not None:
                token = held.token + (self._first_token if held.token < FEW else 1)
            values = {
                "token": token, "owner": self._owner, "pid": self._pid, "expires_ms": now + self._duration_ms,
                "host": f"{self._host} {self._machine} {started_of(self._pid)}",
            }  # fmt: skip
            if held is None:
                connection.execute(leases.insert().values(name=self.name, **values))
            else:
                connection.execute(leases.update().where(leases.c.name == self.name).values(**values))
        self.token, self._renewed_s = token, time.monotonic()
        return token

    def renew(self) -> int:
        """Hold it for `duration_ms` more. Returns until when. Raises LeaseError when another has taken it."""
        asked_s = time.monotonic()
        with self._transaction() as connection:
            self.check(connection)
            expires_ms = self._now_ms(connection) + self._duration_ms
            connection.execute(leases.update().where(leases.c.name == self.name).values(expires_ms=expires_ms))
        self._renewed_s = asked_s
        return expires_ms

    def is_surely_ours(self) -> bool:
        """Whether no other can hold it, as far as can be known without writing.

        A full disk can still be read. A database that cannot be asked leaves only the time for which it was given.
        """
        try:
            held = self.view()
        except JournalError:
            return bool(self.token) and time.monotonic() - self._renewed_s < self._duration_ms / 1000
        return held is not None and bool(self.token) and held.token == self.token

    def release(self) -> None:
        """Give it back, if it is still ours."""
        with self._transaction() as connection:
            mine = (leases.c.name == self.name) & (leases.c.token == self.token)
            connection.execute(leases.update().where(mine).values(expires_ms=0))
        self.token = 0

    def check(self, connection: sa.Connection) -> None:
        """Raise LeaseError unless our token is the newest; until the transaction ends nobody can take it.

        A lease that has run out but was taken by nobody is still ours.
        """
        held = self._row(connection, lock=True)
        if held is None or held.token != self.token or not self.token:
            by = "nobody" if held is None else f"{held.owner} (process {held.pid} on {held.host})"
            raise LeaseError(
                f"{self.name}: the right to trade, token {self.token}, is lost to {by}.",
                remedy="This instance has stopped; the other one trades on.",
            )

    def holder(self) -> LeaseView | None:
        """Who holds it now; None when it may be acquired."""
        with self._transaction() as connection:
            held = self._row(connection, lock=False)
            now = self._now_ms(connection)
        return None if held is None or held.expires_ms <= now or self._is_dead(held) else held

    def view(self) -> LeaseView | None:
        """Who holds it, or held it last."""
        with self._transaction() as connection:
            return self._row(connection, lock=False)

    def _row(self, connection: sa.Connection, *, lock: bool) -> LeaseView | None:
        wanted = sa.select(leases).where(leases.c.name == self.name)
        row = connection.execute(wanted.with_for_update() if lock else wanted).mappings().first()
        if row is None:
            return None
        host, machine, started = (*str(row["host"]).split(), "", "", "")[:3]
        return LeaseView(
            token=row["token"], owner=row["owner"], host=host, pid=row["pid"], expires_ms=row["expires_ms"],
            machine=machine, started=started,
        )  # fmt: skip

    def _is_dead(self, held: LeaseView) -> bool:
        """Only where its number means the same process here: containers of one hostname do not see one another."""
        if (held.host, held.machine) != (self._host, self._machine):
            return False
        if held.started not in (UNKNOWN, started_of(held.pid)):  # the number is another's by now, or nobody's
            return True
        return held.pid != self._pid and not self._is_alive(held.pid)

    def _now_ms(self, connection: sa.Connection) -> int:
        if connection.dialect.name == "postgresql":
            return int(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000")).scalar_one())
        return self._clock.now_ms()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    """A transaction whose database errors are a JournalError."""

    def __init__(self, database: sa.Engine) -> None:
        self._context = database.begin()

    def __enter__(self) -> sa.Connection:
        try:
            return self._context.__enter__()
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._context.__exit__(kind, error, trace)  # type: ignore[arg-type]
        except sa.exc.SQLAlchemyError as failure:
            raise refused(failure) from failure
        if isinstance(error, sa.exc.SQLAlchemyError):
            raise refused(error) from error


def refused(error: Exception) -> JournalError:
    """The database's refusal in our words."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return JournalError(
        f"The journal cannot be written: {said}.",
        remedy="Free some space, mend the permissions or the connection; until then nothing is opened.",
    )
