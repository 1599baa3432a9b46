"""The one way to write a file: atomically. A reader sees the old content or the new one, never half of either."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from triptych.domain.errors import StorageError

_TEMPORARY: Final = re.compile(r"^\..+\.\d+-\d+\.(tmp|old)$")


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then put it in its place.

    Raises StorageError when the disk refuses (full, read-only). Nothing is left behind by any exception; only a process
    that is killed leaves its temporary file, see `remove_leftovers`.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("r+b") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}.",
            remedy="Free some space or choose another folder.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes atomically.

    For libraries whose writers raise errors of their own on a full disk: let them write to memory, then this.
    """
    return write_atomically(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 text file atomically; line ends stay as they are."""
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> Path:
    """Write JSON atomically: sorted keys, no NaN, so that equal content is equal bytes."""
    return write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def writing_folder(folder: Path, what: str) -> Iterator[Path]:
    """A new, empty folder to fill, which takes the place of `folder` at the end; with any exception nothing changes.

    Raises StorageError when the disk refuses; it calls the folder by `what` it is, such as "artifact".
    """
    temporary = temporary_name(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        replace_folder(temporary, folder)
    except OSError as error:
        raise StorageError(
            f"The {what} {folder} could not be written: {error.strerror or error}.",
            remedy="Free some space or choose another folder.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(source: Path, target: Path) -> Path:
    """Put a folder in the place of another: a reader finds a whole folder or, for a moment, none.

    Raises StorageError when the disk refuses; the old folder then stays.
    """
    old = temporary_name(target, "old")
    try:
        for path in source.rglob("*"):
            if path.is_dir():
                sync_folder(path)
                continue
            with path.open("r+b") as file:
                os.fsync(file.fileno())
        sync_folder(source)
        replaces = target.exists()
        if replaces:
            target.rename(old)
        try:
            source.rename(target)
        except OSError:
            if replaces:
                old.rename(target)
            raise
        sync_folder(target.parent)
    except OSError as error:
        raise StorageError(
            f"{target} could not be written: {error.strerror or error}.",
            remedy="Free some space or choose another folder.",
        ) from error
    shutil.rmtree(old, ignore_errors=True)
    return target


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file's new name is only safe once its folder is flushed too."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def temporary_name(path: Path, ending: str = "tmp") -> Path:
    """A name beside `path` that no other process or thread uses; `ending` is tmp or old."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.{ending}")


def is_leftover(path: Path) -> bool:
    """Whether a file or folder has a name that `temporary_name` gives."""
    return _TEMPORARY.match(path.name) is not None


def remove_leftovers(folder: Path, *, recursive: bool = False) -> int:
    """Delete temporary files and folders that killed processes left in a folder. Returns how many.

    Call it only where no other process can be writing. A folder that does not exist holds none.
    """
    found = folder.rglob(".*") if recursive else folder.glob(".*")
    leftovers = [path for path in found if is_leftover(path)]
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(leftovers)
