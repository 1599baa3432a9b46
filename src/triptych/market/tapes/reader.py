"""A tape read back: every message, in the order and with the times of its recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from triptych.market.tapes.about import read_about
from triptych.market.tapes.entry import TapeEntry
from triptych.market.tapes.segments import read_segment, segments


def read_tape(folder: Path) -> Iterator[TapeEntry]:
    """All entries, oldest first; one segment is in memory at a time. A tape may be read while it is recorded.

    Raises DataError when there is no tape, or a segment is damaged.
    """
    read_about(folder)
    for _, path in segments(folder):
        yield from read_segment(path)


def read_tape_backwards(folder: Path) -> Iterator[TapeEntry]:
    """All entries, newest first: to find what was told last. Raises DataError as `read_tape`."""
    read_about(folder)
    for _, path in reversed(segments(folder)):
        yield from reversed(list(read_segment(path)))
