"""A command of `triptych` that is killed for certain at a chosen moment: run it in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence


def command_and_die(arguments: Sequence[str], name: str, count: int, moment: str) -> None:
    """Run a command, and be killed when a file or folder called `name` takes its place for the `count`-th time.

    Killed `before` it does, or `after`: when the next file is opened for writing.
    """
    seen = {"count": 0}

    def watch(event: str, values: tuple[object, ...]) -> None:
        if event == "os.rename" and str(values[1]).endswith(name):
            seen["count"] += 1
            if moment == "before" and seen["count"] == count:
                os.kill(os.getpid(), signal.SIGKILL)
        elif event == "open" and moment == "after" and seen["count"] == count and "w" in str(values[1]):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    from triptych.cli import main

    main(list(arguments))
