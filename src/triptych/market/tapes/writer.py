"""A tape being written: nothing that was flushed is lost by a kill, and nothing half-written is ever read.

Lines are appended to the open segment and flushed to disk every so often: at most the time between two flushes is
missing after a power cut or a kill. The next recording takes up where this one stopped: the open segment is freed of a
line that was only begun, and finished.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from filelock import FileLock, Timeout
from pydantic import Field

from triptych import domain
from triptych.domain.errors import DataError, StorageError
from triptych.domain.files import remove_leftovers
from triptych.market.tapes.about import About, is_tape, read_about
from triptych.market.tapes.entry import TapeEntry, to_line
from triptych.market.tapes.segments import open_name, seal, sealed_name, segments, whole_lines


class Config(domain.Config):
    """How a tape is cut and kept safe."""

    segment_minutes: float = Field(
        default=60.0, gt=0, le=1440, description="Minutes after which a segment is finished and compressed."
    )
    segment_megabytes: float = Field(
        default=64.0, gt=0, le=1024, description="Size before compression at which a segment is finished, megabytes."
    )
    flush_seconds: float = Field(default=1.0, ge=0, le=60, description="Seconds of messages that a power cut may cost.")


class TapeWriter:
    """Appends entries to the tape in a folder. One process at a time; use it as a context manager.

    Attributes:
        entries, bytes: written since it was opened, before compression.
    """

    def __init__(
        self,
        folder: Path,
        about: About,
        config: Config | None = None,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Record into `folder`; what is there is gone on with when it is of the same topics."""
        self.entries = self.bytes = 0
        self._folder, self._about, self._config = folder, about, config or Config()
        self._monotonic_s = monotonic_s
        self._lock = FileLock(folder / ".lock")
        self._file: BinaryIO | None = None
        self._number = self._size = 0
        self._begun_s = self._flushed_s = 0.0

    def __enter__(self) -> Self:
        """Take the folder and finish what a killed recording left.

        Raises DataError when the folder holds another tape or another process records into it, StorageError when the
        disk refuses.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise DataError(
                f"Another process records into {self._folder}.", remedy="Stop it, or choose another folder."
            ) from error
        except OSError as error:
            raise _refused(self._folder, error) from error
        try:
            self._take_up()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _take_up(self) -> None:
        remove_leftovers(self._folder)
        if not is_tape(self._folder):
            self._about.write(self._folder)
        elif read_about(self._folder) != self._about:
            raise DataError(
                f"{self._folder} holds a tape of other topics or instruments.",
                remedy="Give the options it was begun with, or choose another folder.",
            )
        for number, path in segments(self._folder):
            self._number = number
            left = open_name(self._folder, number)
            if path == left:
                self._seal(left)
            left.unlink(missing_ok=True)

    def append(self, entry: TapeEntry) -> None:
        """Write one entry. Raises StorageError when the disk refuses."""
        line = to_line(entry)
        try:
            file = self._file or self._begin()
            file.write(line)
        except OSError as error:
            raise _refused(self._folder, error) from error
        self.entries += 1
        self.bytes += len(line)
        self._size += len(line)
        now = self._monotonic_s()
        if (
            now - self._begun_s >= self._config.segment_minutes * 60
            or self._size >= self._config.segment_megabytes * 1e6
        ):
            self._finish()
        elif now - self._flushed_s >= self._config.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Make everything durable that was appended. Raises StorageError when the disk refuses."""
        self._flushed_s = self._monotonic_s()
        if self._file is not None:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise _refused(self._folder, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._finish()
        finally:
            self._lock.release()

    def _begin(self) -> BinaryIO:
        self._number += 1
        self._file = open_name(self._folder, self._number).open("ab")
        self._size, self._begun_s = 0, self._monotonic_s()
        return self._file

    def _finish(self) -> None:
        """Compress the open segment and put it in its place."""
        if self._file is None:
            return
        self.flush()
        self._file.close()
        self._file = None
        left = open_name(self._folder, self._number)
        self._seal(left)
        left.unlink()

    def _seal(self, left: Path) -> None:
        content = whole_lines(left.read_bytes())
        if content:
            seal(content, sealed_name(self._folder, self._number))


def _refused(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The tape {folder} could not be written: {error.strerror or error}.",
        remedy="Free some space or choose another folder; the same command goes on.",
    )
