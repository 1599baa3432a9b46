"""How long the venue has locked this machine out, beside the journal: a process that is started again must know.

It stands in the journal's database and not among its entries: it is known before anybody holds the right to write.
"""

from __future__ import annotations

import socket
from pathlib import Path

import sqlalchemy as sa

from triptych.domain.errors import NoJournal
from triptych.live.journal.database import meta, open_database
from triptych.live.journal.lease import refused


def keep_lockout(where: str | Path, host: str, until_ms: int) -> None:
    """Remember that `host` is not to be asked anything by this machine before `until_ms`, UTC.

    Raises JournalError when it cannot be written.
    """
    database, name = open_database(where), _name(host)
    try:
        with database.begin() as connection:
            connection.execute(meta.delete().where(meta.c.name == name))
            connection.execute(meta.insert().values(name=name, value=str(until_ms)))
    except sa.exc.SQLAlchemyError as error:
        raise refused(error) from error
    finally:
        database.dispose()


def kept_lockout(where: str | Path, host: str) -> int:
    """Until when `host` is not to be asked anything, UTC ms; 0 where nothing is known.

    Raises JournalError when the journal cannot be read.
    """
    try:
        database = open_database(where, read_only=True)
    except NoJournal:
        return 0
    try:
        with database.connect() as connection:
            found = connection.execute(sa.select(meta.c.value).where(meta.c.name == _name(host))).scalar()
    except sa.exc.SQLAlchemyError as error:
        raise refused(error) from error
    finally:
        database.dispose()
    return int(found) if found is not None and found.isdigit() else 0


def _name(host: str) -> str:
    """An address is locked out, so of the machines that share a journal each by itself."""
    return f"locked out {socket.gethostname()} {host}"
