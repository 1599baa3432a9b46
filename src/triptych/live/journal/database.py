"""The journal's tables, and the way to a database: SQLite by a path, PostgreSQL by a URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from triptych.domain.errors import JournalError, NoJournal
from triptych.live.journal.bounded import bound, options

VERSION: Final = 1
WRITTEN: Final = "Name the file or the database that `triptych live` writes."
BUSY_MS: Final = 5_000
ANSWER_S: Final = 3.0
READER_S: Final = 10.0
"""For how long a PostgreSQL server is waited for by the writer, and by those who only look."""

metadata: Final = sa.MetaData()

meta: Final = sa.Table(
    "triptych_meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
entries: Final = sa.Table(
    "triptych_journal",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),  # of the trading instance: several may share a database
    sa.Column("time_ms", sa.BigInteger, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),  # of the writer's lease
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("name", "kind", "key"),
    sa.Index("triptych_journal_kind", "name", "kind", "seq"),
    sqlite_autoincrement=True,
)
leases: Final = sa.Table(
    "triptych_lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("expires_ms", sa.BigInteger, nullable=False),
)


def open_database(where: str | Path, *, read_only: bool = False, answer_s: float = ANSWER_S) -> sa.Engine:
    """Connect, and make the tables if they are not there.

    Args:
        where: path of an SQLite file, or a URL such as postgresql+psycopg://user@host/name.
        read_only: for looking while another process writes; the journal must exist.
        answer_s: for how long a writer waits for a PostgreSQL server at each question.

    SQLite runs in WAL mode with synchronous=FULL: what a transaction has written survives a power cut.

    Raises NoJournal where there is none to look at, JournalError when the database cannot be opened or holds a journal
    of another format.
    """
    url = where if isinstance(where, str) and "://" in where else f"sqlite:///{Path(where)}"
    try:
        engine = sa.create_engine(url, **_options(url))
    except ValueError:  # a port that is none; its text may be a part of a password, so it is not quoted
        raise JournalError(
            "The journal's address cannot be read: what stands behind the host must be a port, a number.",
            remedy="Write it like postgresql+psycopg://USER@HOST:5432/DATABASE; a password with : / or @ in it must be "
            "percent-encoded.",
        ) from None
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise JournalError(
            f"The journal's address {place_of(url)} cannot be used: {error}",
            remedy="Give a file, or postgresql+psycopg://USER@HOST/DATABASE (needs the extra `postgres`).",
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare(engine, Path(str(engine.url.database)), read_only=read_only)
    elif engine.dialect.driver == "psycopg":
        bound(engine, READER_S if read_only else answer_s, is_writer=not read_only)
    try:
        with engine.begin() as connection:
            if not read_only:
                metadata.create_all(connection)
            elif not sa.inspect(connection).has_table(meta.name):
                raise NoJournal(f"There is no journal in {place_of(url)}.", remedy=WRITTEN)
            found = connection.execute(sa.select(meta.c.value).where(meta.c.name == "version")).scalar()
            if found is None and not read_only:
                connection.execute(meta.insert().values(name="version", value=str(VERSION)))
    except NoJournal:
        engine.dispose()
        raise
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise JournalError(
            f"The journal {place_of(url)} cannot be opened: {_first_line(error)}",
            remedy="Check the path or the address, its permissions and the free space.",
        ) from error
    if found is not None and found != str(VERSION):
        engine.dispose()
        raise JournalError(
            f"The journal {place_of(url)} is of format {found}, this version writes {VERSION}.",
            remedy="Use the version that wrote it, or start with a new journal once the account is flat.",
        )
    return engine


def _prepare(engine: sa.Engine, path: Path, *, read_only: bool) -> None:
    if read_only:
        if not path.exists():
            raise NoJournal(f"There is no journal {path}.", remedy=WRITTEN)
        sa.event.listen(engine, "connect", _forbid_writing)
        sa.event.listen(engine, "begin", _begin)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    sa.event.listen(engine, "connect", _make_durable)
    sa.event.listen(engine, "begin", _begin_immediately)


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_MS / 1000, "isolation_level": None, "check_same_thread": False}}
    return {"pool_pre_ping": True, "connect_args": options()}


def _forbid_writing(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only=ON").close()


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediately(connection: sa.Connection) -> None:
    """Take SQLite's write lock at once: a reader that turns writer in the middle could not be kept waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def shown(url: sa.URL) -> str:
    """An address for people: without its password, wherever it stands."""
    hidden = {name: "***" for name in url.query if "pass" in name.lower() or "pwd" in name.lower()}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def place_of(where: str | Path) -> str:
    """Where a journal is, for people: the path of a file, or an address without its password."""
    if "://" not in str(where):
        return str(where)
    try:
        return shown(sa.make_url(str(where)))
    except (sa.exc.ArgumentError, ValueError):
        return "given"


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
