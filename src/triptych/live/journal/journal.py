"""The journal: what was decided, sent and heard, written before anything depends on it.

Append-only. A record that has a key (see `key_of`) is kept once, however often the venue tells it; the others always.
Each append is one transaction that is on the disk when it returns, and that fails when the lease is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from triptych.domain.clock import AbstractClock, SystemClock
from triptych.domain.errors import JournalError, LeaseError
from triptych.live.journal.database import ANSWER_S, entries, open_database, shown
from triptych.live.journal.lease import Lease, LeaseView, refused
from triptych.live.journal.marker import SwitchMarker
from triptych.live.journal.records import Record, StepRecorded, Switch, SwitchSet, decode, encode, key_of
from triptych.live.journal.switch_row import SwitchRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A record with its place: `seq` rises, `time_ms` is UTC when it was written, `token` the writer's."""

    seq: int
    time_ms: int
    token: int
    record: Record


class Journal:
    """The journal of one trading instance in one database.

    Attributes:
        lease: the right to write; acquire it before the first append.
        marker: keeps a switch that the journal cannot hold; None where there is none.
        lag_ms: how long the last append took.
    """

    def __init__(
        self,
        database: sa.Engine,
        name: str,
        *,
        lease: Lease | None = None,
        clock: AbstractClock | None = None,
        marker: SwitchMarker | None = None,
    ) -> None:
        """Take a database from `open_database`. Without a lease the journal can only be read."""
        self.name, self.lease, self.marker = name, lease, marker
        self.lag_ms = 0.0
        self._database = database
        self._clock = clock or SystemClock()

    @classmethod
    def open(
        cls,
        where: str | Path,
        name: str,
        *,
        owner: str,
        clock: AbstractClock | None = None,
        lease_ms: int = 15_000,
        first_token: int = 1,
        lease_clock: AbstractClock | None = None,
    ) -> Journal:
        """Open for writing: a path or URL, see `open_database`. The lease still has to be acquired.

        `clock` tells when entries were written; the lease goes by `lease_clock` where that is another, such as that of
        a tape: processes are told apart in real time.
        """
        database = open_database(where, answer_s=min(ANSWER_S, lease_ms / 4_000))
        lease = Lease(
            database, name, owner=owner, duration_ms=lease_ms, clock=lease_clock or clock, first_token=first_token
        )
        row = None if database.dialect.name == "sqlite" else SwitchRow(database, name)
        return cls(database, name, lease=lease, clock=clock, marker=SwitchMarker.of(where, name, row))

    @classmethod
    def read(cls, where: str | Path, name: str) -> Journal:
        """Open for reading, while another process may be writing."""
        return cls(open_database(where, read_only=True), name)

    def append(self, *records: Record) -> tuple[bool, ...]:
        """Write records in one transaction, durably. Returns which of them were new: a key that is there is not.

        Raises LeaseError when the right to write is lost, JournalError when the database refuses; then nothing of it
        was written.
        """
        if self.lease is None:
            raise LeaseError(f"The journal {self.name} was opened for reading.", remedy="Open it for writing.")
        rows = [(encode(record), key_of(record)) for record in records]
        try:
            with self._database.begin() as connection:
                self.lease.check(connection)
                now_ms, token = self._clock.now_ms(), self.lease.token
                return tuple(self._insert(connection, now_ms, token, kind, key, body) for (kind, body), key in rows)
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def _insert(
        self, connection: sa.Connection, time_ms: int, token: int, kind: str, key: str | None, body: str
    ) -> bool:
        if key is not None:
            same = (entries.c.name == self.name) & (entries.c.kind == kind) & (entries.c.key == key)
            if connection.execute(sa.select(entries.c.seq).where(same)).first() is not None:
                return False
        connection.execute(
            entries.insert().values(name=self.name, time_ms=time_ms, token=token, kind=kind, key=key, body=body)
        )
        return True

    def holds(self, record: Record) -> bool:
        """Whether a record of the same kind and key was written. Raises JournalError when it cannot be read."""
        kind, key = type(record).__name__, key_of(record)
        same = (entries.c.name == self.name) & (entries.c.kind == kind) & (entries.c.key == key)
        try:
            with self._database.connect() as connection:
                return connection.execute(sa.select(entries.c.seq).where(same)).first() is not None
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def entries(
        self,
        *,
        after: int = 0,
        kinds: Sequence[type[Any] | str] = (),
        holding: str = "",
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Generator[Entry, None, None]:
        """Entries with `seq` above `after`, of all kinds or of some, oldest first unless asked otherwise; only those
        in whose JSON the text `holding` stands. What is left out is never decoded.

        Raises JournalError when an entry cannot be read.
        """
        wanted = sa.select(entries).where((entries.c.name == self.name) & (entries.c.seq > after))
        if kinds:
            wanted = wanted.where(entries.c.kind.in_([one if isinstance(one, str) else one.__name__ for one in kinds]))
        if holding:
            wanted = wanted.where(entries.c.body.contains(holding, autoescape=True))
        wanted = wanted.order_by(entries.c.seq.desc() if newest_first else entries.c.seq).limit(limit)
        try:
            with (
                self._database.connect() as connection,
                connection.execution_options(yield_per=1_000).execute(wanted) as found,
            ):
                for row in found.mappings():
                    yield read_row(dict(row))
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def count(self, kind: type[Any], *, after: int = 0, holding: str = "") -> int:
        """How many entries `entries` would give, without decoding any. Raises JournalError when it cannot be read."""
        wanted = (entries.c.name == self.name) & (entries.c.seq > after) & (entries.c.kind == kind.__name__)
        if holding:
            wanted &= entries.c.body.contains(holding, autoescape=True)
        try:
            with self._database.connect() as connection:
                return connection.execute(sa.select(sa.func.count()).where(wanted)).scalar() or 0
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def rows(self, *, after: int = 0, limit: int) -> list[dict[str, Any]]:
        """At most `limit` entries with `seq` above `after`, oldest first, as they were written; see `read_row`.

        Each holds seq, time_ms, token, kind and body (JSON). Raises JournalError when the journal cannot be read.
        """
        columns = (entries.c.seq, entries.c.time_ms, entries.c.token, entries.c.kind, entries.c.body)
        wanted = sa.select(*columns).where((entries.c.name == self.name) & (entries.c.seq > after))
        try:
            with self._database.connect() as connection:
                found = connection.execute(wanted.order_by(entries.c.seq).limit(limit)).mappings()
                return [dict(row) for row in found]
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def newest(self) -> int:
        """`seq` of the newest entry; 0 when there is none. Raises JournalError when the journal cannot be read."""
        wanted = sa.select(sa.func.max(entries.c.seq)).where(entries.c.name == self.name)
        try:
            with self._database.connect() as connection:
                return connection.execute(wanted).scalar() or 0
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def last(self, kind: type[Any]) -> Entry | None:
        """The newest entry of a kind; None when there is none."""
        with contextlib.closing(self.entries(kinds=(kind,), limit=1, newest_first=True)) as found:
            return next(found, None)

    def has_decided(self, order_id: str) -> bool:
        """Whether a decision in this journal stands behind an order. Raises JournalError when it cannot be read."""
        of_steps = (entries.c.name == self.name) & (entries.c.kind == StepRecorded.__name__)
        wanted = sa.select(entries.c.seq).where(of_steps & entries.c.body.contains(f'"{order_id}"', autoescape=True))
        try:
            with self._database.connect() as connection:
                return connection.execute(wanted.order_by(entries.c.seq.desc()).limit(1)).first() is not None
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def switch(self) -> SwitchSet | None:
        """What the house allows itself since somebody last said so."""
        entry = self.last(SwitchSet)
        return entry.record if entry is not None and isinstance(entry.record, SwitchSet) else None

    def is_killed(self) -> bool:
        """Whether somebody has killed trading: as the journal, or only the file beside it, knows."""
        kept = None if self.marker is None else self.marker.kept()
        said = kept or self.switch()
        return said is not None and said.switch is Switch.KILLED

    @property
    def place(self) -> str:
        """Where it lies: the path of a file, or an address without its password."""
        url = self._database.url
        return str(url.database) if url.drivername == "sqlite" else shown(url)

    def names(self) -> tuple[str, ...]:
        """The trading instances that write into this database, in alphabetical order.

        Raises JournalError when the journal cannot be read.
        """
        try:
            with self._database.connect() as connection:
                written = sa.select(entries.c.name).distinct().order_by(entries.c.name)
                return tuple(connection.execute(written).scalars())
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def holder(self) -> LeaseView | None:
        """Who has the right to write now; None where nobody has. Raises JournalError when it cannot be asked."""
        return Lease(self._database, self.name, owner="", clock=self._clock).holder()

    def close(self) -> None:
        """Let go of the database; the lease stays until it is released or runs out."""
        self._database.dispose()


def read_row(row: Mapping[str, Any]) -> Entry:
    """The entry of a row as `Journal.rows` gives it. Raises JournalError when it cannot be read."""
    try:
        record = decode(row["kind"], row["body"])
    except (KeyError, ValidationError) as error:
        raise JournalError(
            f"Entry {row['seq']} of the journal, a {row['kind']}, cannot be read: {type(error).__name__}.",
            remedy="It was damaged, or written by another version: use that version.",
        ) from error
    return Entry(seq=row["seq"], time_ms=row["time_ms"], token=row["token"], record=record)
