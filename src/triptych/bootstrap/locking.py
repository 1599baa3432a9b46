"""One process at a time where two would spoil each other's work. The system frees the lock of a process that dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from triptych.domain.errors import RunError, StorageError


@contextmanager
def exclusive(lock: Path, *, what: str, timeout_s: float) -> Iterator[None]:
    """Hold `lock`, a file made for nothing else.

    Raises RunError when another process holds it for longer than `timeout_s` seconds, StorageError when the disk
    refuses. `what` is named in both.
    """
    held = filelock.FileLock(lock, timeout=timeout_s)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except filelock.Timeout as error:
        raise RunError(
            f"Another process is at work on {what}.", remedy="Wait until it has ended, or end it."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{what} could not be locked: {error.strerror or error}.",
            remedy="Check the permissions, or choose another folder.",
        ) from error
    try:
        yield
    finally:
        held.release()
