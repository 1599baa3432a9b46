"""Where the trials of a study are kept: one journal file by default, a database by URL for many machines."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import optuna
import sqlalchemy
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from triptych.domain.errors import StorageError

JOURNAL = "journal.log"


class _SystemLock:
    """A lock that the system frees when its process dies: Optuna's own would hold others up for half a minute.

    Whoever gets it mends what a killed process left: a last line that is not whole.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = filelock.FileLock(journal.with_name(f".{journal.name}.lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        _drop_torn_line(self._journal)
        return True

    def release(self) -> None:
        self._lock.release()


def _drop_torn_line(journal: Path) -> None:
    size = journal.stat().st_size if journal.exists() else 0
    if not size:
        return
    with journal.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """The storage of a study. Raises StorageError that names a database without its password."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / JOURNAL
        return JournalStorage(JournalFileBackend(str(path), lock_obj=_SystemLock(path)))  # type: ignore[arg-type]
    with storage_errors(url):
        # No pool: trials last minutes, and a connection that is kept for them may be dead when it is needed.
        return RDBStorage(_with_driver(url), engine_kwargs={"poolclass": NullPool})


def _with_driver(url: str) -> str:
    """PostgreSQL through psycopg 3, where the URL leaves it open."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def masked(url: str) -> str:
    """A URL without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "the storage"


@contextmanager
def storage_errors(url: str | None) -> Iterator[None]:
    """Errors of a database as ours."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise StorageError(
            f"The driver for {masked(url or '')} is missing: {error}.",
            remedy="For PostgreSQL: pip install 'triptych[postgres]'.",
        ) from error
    except (SQLAlchemyError, OptunaError) as error:
        raise StorageError(
            f"The trials could not be read or written at {masked(url or '')}: {_first_line(error)}.",
            remedy="Check that the database runs and that the URL names its host, port, user and name.",
        ) from error


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0].removesuffix(".")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without the warnings that parts we use are experimental: their version is pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
