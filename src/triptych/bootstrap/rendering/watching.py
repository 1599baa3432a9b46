"""Who is told how the drawing goes on: a progress bar, or nobody."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Is told how many pictures there will be, then of each lot that is done."""

    def begin(self, total: int) -> None:
        """So many pictures will be drawn."""

    def advance(self, count: int) -> None:
        """So many more are done."""


class Nobody:
    """Does not care."""

    def begin(self, total: int) -> None:
        """See `Watcher`."""

    def advance(self, count: int) -> None:
        """See `Watcher`."""
