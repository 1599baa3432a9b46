"""A switch that must not be forgotten even though the journal cannot be written: a small file of its own.

It lies beside the journal's file and, where that disk refuses too or the journal is no file, in a state folder: that of
the service, of the machine or of the user, see `state_folders`. That a file is there is enough: an empty one, which a
full disk still takes, stands for a kill. Every start looks in all of them, and so does a session that runs: whoever
writes the file turns the switch, see `triptych kill --journal`. Of a journal on a server a row there counts as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import ValidationError

from triptych.domain.errors import JournalError, StorageError
from triptych.domain.files import sync_folder
from triptych.live.journal.records import Switch, SwitchSet, decode, encode
from triptych.live.journal.switch_row import SwitchRow

UNREADABLE: Final = SwitchSet(
    switch=Switch.KILLED, by="an earlier process", reason="its words could not be written: the disk was full"
)

OF_THE_MACHINE: Final = Path("/var/lib/triptych")
"""Where systemd puts `StateDirectory=triptych`: a shell is not told of it, so it is looked for by its name."""
LOCAL: Final = ("", "localhost", "127.0.0.1", "::1", "/tmp", "/run/postgresql", "/var/run/postgresql")


class SwitchMarker:
    """The switch of one trading instance beside its journal.

    Attributes:
        paths: where it may lie, the first choice first.
    """

    def __init__(self, paths: Sequence[Path], row: SwitchRow | None = None) -> None:
        """`row`: in the database itself, where others write and this only looks."""
        self.paths, self._row = tuple(paths), row

    @classmethod
    def of(cls, where: str | Path, name: str, row: SwitchRow | None = None) -> SwitchMarker:
        """Of the instance `name` whose journal is at `where`, a path or URL, in whatever way that is written."""
        ending, folders = f"{quote(name, safe='')}.switch", state_folders()
        if "://" in str(where) and not str(where).startswith("sqlite"):
            digests = [
                _digest(_server_of(str(where))),
                _digest(str(where)),
            ]  # earlier versions took it as it was written
            return cls([folder / f"{digest}-{ending}" for digest in digests for folder in folders], row)
        path = _file_of(where)
        kept = [path.with_name(f"{path.name}-{ending}"), *(f / f"{_digest(str(path))}-{ending}" for f in folders)]
        return cls(kept, row)

    def keep(self, said: SwitchSet) -> Path:
        """Write it durably, in the first place that takes the whole of it. Returns where.

        Raises StorageError when no place takes even an empty file.
        """
        return self._keep(said, is_enough=True)[0]

    def keep_everywhere(self, said: SwitchSet) -> tuple[Path, ...]:
        """The same in every place that takes it: whoever does not know in which of them a session looks.

        Returns those that hold at least an empty file. Raises StorageError as `keep`.
        """
        return tuple(self._keep(said, is_enough=False))

    def _keep(self, said: SwitchSet, *, is_enough: bool) -> list[Path]:
        """Where it is kept, the best place first; one that took the whole of it `is_enough`, or all are tried."""
        body = encode(said)[1].encode()
        whole, empty, words = list[Path](), list[Path](), ""
        for path in self.paths:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            except OSError as error:
                words = error.strerror or str(error)
                continue
            try:
                is_whole = os.write(file, body) == len(body)
                os.fsync(file)
                sync_folder(path.parent)
            except OSError:  # an empty one is better than none
                is_whole = False
            finally:
                os.close(file)
            (whole if is_whole else empty).append(path)
            if is_whole and is_enough:
                return [path]
        if not whole and not empty:
            raise StorageError(
                f"The switch at {said.switch} could not be kept beside the journal: {words}.",
                remedy="Free some space; set it again after the next start.",
            )
        return whole + empty

    def kept(self) -> SwitchSet | None:
        """What is kept; None where nothing is. A file that cannot be understood is a kill."""
        found = [path for path in self.paths if _is_there(path)]
        for path in found:
            with contextlib.suppress(OSError, ValidationError, UnicodeDecodeError):
                said = decode(SwitchSet.__name__, path.read_text(encoding="utf-8"))
                if isinstance(said, SwitchSet):
                    return said
        if found:
            return UNREADABLE
        with contextlib.suppress(JournalError):  # it is asked again, and what it holds is not lost
            return None if self._row is None else self._row.kept()
        return None

    def forget(self, *said: SwitchSet) -> None:
        """The journal holds it, or nobody wants it any more. A row in the database goes if it says one of `said`."""
        for one in said:
            with contextlib.suppress(JournalError):
                if self._row is not None:
                    self._row.forget(one)
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def state_folder() -> Path:
    """Of this program: STATE_DIRECTORY as systemd gives it, else triptych in XDG_STATE_HOME or ~/.local/state."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "triptych"


def state_folders() -> tuple[Path, ...]:
    """All in which a switch may lie: that of this program, that of a service on this machine, and the user's."""
    home = os.environ.get("XDG_STATE_HOME")
    of_user = (Path(home) if home else Path.home() / ".local" / "state") / "triptych"
    of_machine = [OF_THE_MACHINE] if _is_there(OF_THE_MACHINE) else []
    return tuple(dict.fromkeys([state_folder(), *of_machine, of_user]))


def _is_there(path: Path) -> bool:
    """Whether it is; not where nobody may look."""
    try:
        return path.exists()
    except OSError:
        return False


def _file_of(where: str | Path) -> Path:
    """The file of an SQLite journal, by one name however it was reached."""
    if "://" not in str(where):
        return Path(os.path.realpath(where))
    try:
        return Path(os.path.realpath(str(sa.make_url(str(where)).database)))
    except (sa.exc.ArgumentError, ValueError):
        return Path(str(where).removeprefix("sqlite:///")).absolute()


def _server_of(where: str) -> str:
    """Which database on which server, without who asks, by which password, driver and options.

    A host has one name here: an alias of another machine is another one.
    """
    try:
        url = sa.make_url(where)
    except (sa.exc.ArgumentError, ValueError):
        return where

    def asked(name: str, otherwise: object) -> str:
        found = url.query.get(name) or otherwise
        return str(found if isinstance(found, str) else found or "")

    host, database = asked("host", url.host).lower(), url.database or asked("dbname", url.username)
    host = "localhost" if host in LOCAL else host
    return f"{url.get_backend_name()} {host} {asked('port', url.port or 5432)} {database}"


def _digest(place: str) -> str:
    """Tells journals apart without showing an address, which may hold a password."""
    return hashlib.sha256(place.encode()).hexdigest()[:16]
