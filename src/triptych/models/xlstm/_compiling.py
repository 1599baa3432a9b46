"""Tells that loops are being compiled, which takes a while and would look like a process that hangs."""

from __future__ import annotations

import logging
from typing import Any, Final

from numba.core import event

LOGGER: Final = logging.getLogger("triptych.compiling")
OURS: Final = __name__.rpartition(".")[0]


class Notice(event.Listener):
    """Says so at the first loop of this package that was not found on disk, once in its life."""

    def __init__(self) -> None:
        self._has_told = False

    def on_start(self, event: Any) -> None:
        """A compilation begins; loops that are found on disk begin none."""
        module = event.data["dispatcher"].py_func.__module__ or ""  # none of what is made from text
        if self._has_told or not module.startswith(OURS):
            return
        self._has_told = True
        LOGGER.warning(
            "Compiling the loops of the xLSTM for this processor: half a minute, once; later processes find them on "
            "disk."
        )

    def on_end(self, event: Any) -> None:
        """A compilation has ended."""


def tell_once() -> None:
    """Let a process tell it, on the error stream unless its logging is set up otherwise."""
    event.register("numba:compile", Notice())  # type: ignore[no-untyped-call]
