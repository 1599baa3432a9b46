"""A switch that must not be forgotten even though the journal cannot be written: a small file of its own.

It lies beside the journal's file and, where that disk refuses too or the journal is no file, in the state folder of the
user. That a file is there is enough: an empty one, which a full disk still takes, stands for a kill. Every start looks,
and so does a session that runs: whoever writes the file turns the switch, see `triptych kill --journal`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pydantic import ValidationError

from triptych.domain.errors import StorageError
from triptych.domain.files import sync_folder
from triptych.live.journal.records import Switch, SwitchSet, decode, encode

UNREADABLE: Final = SwitchSet(
    switch=Switch.KILLED, by="an earlier process", reason="its words could not be written: the disk was full"
)


class SwitchMarker:
    """The switch of one trading instance beside its journal.

    Attributes:
        paths: where it may lie, the first choice first.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)

    @classmethod
    def of(cls, where: str | Path, name: str) -> SwitchMarker:
        """Of the instance `name` whose journal is at `where`, a path or URL."""
        ending = f"{quote(name, safe='')}.switch"
        if "://" in str(where) and not str(where).startswith("sqlite:///"):
            return cls([state_folder() / f"{_digest(str(where))}-{ending}"])
        path = Path(str(where).removeprefix("sqlite:///")).absolute()
        return cls([path.with_name(f"{path.name}-{ending}"), state_folder() / f"{_digest(str(path))}-{ending}"])

    def keep(self, said: SwitchSet) -> Path:
        """Write it durably, in the first place that takes the whole of it. Returns where.

        Raises StorageError when no place takes even an empty file.
        """
        _, body = encode(said)
        taken, words = None, ""
        for path in self.paths:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            except OSError as error:
                words = error.strerror or str(error)
                continue
            taken = taken or path
            try:
                is_whole = os.write(file, body.encode()) == len(body.encode())
                os.fsync(file)
                sync_folder(path.parent)
                if is_whole:
                    return path
            except OSError:  # an empty one is better than none
                continue
            finally:
                os.close(file)
        if taken is None:
            raise StorageError(
                f"The switch at {said.switch} could not be kept beside the journal: {words}.",
                remedy="Free some space; set it again after the next start.",
            )
        return taken

    def kept(self) -> SwitchSet | None:
        """What is kept; None where nothing is. A file that cannot be understood is a kill."""
        found = [path for path in self.paths if path.exists()]
        for path in found:
            with contextlib.suppress(OSError, ValidationError, UnicodeDecodeError):
                said = decode(SwitchSet.__name__, path.read_text(encoding="utf-8"))
                if isinstance(said, SwitchSet):
                    return said
        return UNREADABLE if found else None

    def forget(self) -> None:
        """The journal holds it, or nobody wants it any more."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def state_folder() -> Path:
    """Of this program: STATE_DIRECTORY as systemd gives it, else triptych in XDG_STATE_HOME or ~/.local/state."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "triptych"


def _digest(place: str) -> str:
    """Tells journals apart without showing an address, which may hold a password."""
    return hashlib.sha256(place.encode()).hexdigest()[:16]
