"""Names and writes on disk that survive any symbol and any crash."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from triptych.domain.errors import DataError, StorageError

TEMPORARY: Final = ".tmp-"
_RESERVED: Final = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


def to_file_name(name: str) -> str:
    """A symbol or venue as one safe path component: `BTC/USDT:USDT` is `BTC%2FUSDT%3AUSDT`.

    Letters, digits, `_`, `-` and inner dots stay; everything else is percent-encoded as UTF-8, and so is the first
    letter of names that Windows keeps for devices. `from_file_name` reverses it. Raises DataError
    for an empty name.
    """
    if not name:
        raise DataError("A symbol or venue in the store must have a name.", remedy="Say it: `--symbol NAME`.")
    safe = "".join(c if re.fullmatch(r"[A-Za-z0-9_.-]", c) else _encoded(c) for c in name)
    if safe[0] == ".":
        safe = "%2E" + safe[1:]
    if safe[-1] == ".":
        safe = safe[:-1] + "%2E"
    return _encoded(safe[0]) + safe[1:] if _RESERVED.match(safe) else safe


def from_file_name(name: str) -> str:
    """The name that `to_file_name` wrote."""
    return unquote(name)


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` in place at once: a reader or a crash sees the old file or the new one, never a part.

    Raises StorageError when the disk refuses; nothing is left behind then.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp gives a private file; candles are shared like any other file of the user.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="Make room on the disk, check the permissions, or choose another folder.",
        ) from error


def remove_leftovers(folder: Path) -> int:
    """Delete temporary files of a process that died while writing; call it under the folder's lock. Says how many."""
    leftovers = list(folder.glob(f"{TEMPORARY}*"))
    for path in leftovers:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return len(leftovers)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where the system can open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
