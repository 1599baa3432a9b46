"""Several workers on one study: processes that speak through a pipe, and die with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.telling import Tell
from triptych.bootstrap.tuning.study import Place
from triptych.bootstrap.tuning.worker import Progress, Search
from triptych.domain.errors import RunError, TriptychError
from triptych.inference.profile import Profile

_THREADS = "OMP_NUM_THREADS"


def run_workers(
    place: Place,
    count: int,
    *,
    deadline: float | None,
    profiles: tuple[Profile | None, Profile | None],
    tell: Tell,
    after_trial: Callable[[Progress], None],
) -> None:
    """Run `count` workers to their end.

    Raises what a worker raised; RunError when one was killed and none is left to do its work.
    """
    context = multiprocessing.get_context("spawn")
    lines: dict[Connection, tuple[int, Any]] = {}
    threads = max(1, (os.cpu_count() or 1) // count)
    for number in range(1, count + 1):
        ours, theirs = context.Pipe()
        rest = None if deadline is None else deadline - time.monotonic()
        process = context.Process(target=_work, args=(theirs, place.plain(), rest, profiles, threads), daemon=True)
        process.start()
        theirs.close()
        lines[ours] = (number, process)
    failures: list[TriptychError] = []
    killed: list[int] = []
    finished = 0
    try:
        while lines:
            for line in wait(list(lines)):
                assert isinstance(line, Connection)
                number, process = lines[line]
                try:
                    kind, content = line.recv()
                except (EOFError, ConnectionResetError):
                    lines.pop(line)
                    process.join()
                    if process.exitcode:
                        killed.append(number)
                        tell(f"Worker {number} died; its trial begins again.")
                    continue
                if kind == "tell":
                    tell(f"Worker {number}: {content}")
                elif kind == "progress":
                    after_trial(content)
                elif kind == "failed":
                    failures.append(content)
                else:
                    finished += 1
    finally:
        for _, process in lines.values():
            process.terminate()
            process.join()
    if failures:
        raise failures[0]
    if killed and not finished:
        raise RunError("Every worker was killed.", remedy="Repeat the command: the search goes on where it was.")


def _work(
    line: Connection,
    content: dict[str, Any],
    rest_s: float | None,
    profiles: tuple[Profile | None, Profile | None],
    threads: int,
) -> None:
    """A worker's whole life. It ends at once when the process that started it does."""
    threading.Thread(target=_die_with_parent, args=(line,), daemon=True).start()
    deadline = None if rest_s is None else time.monotonic() + rest_s
    if _THREADS not in os.environ:
        torch.set_num_threads(threads)
    sending = threading.Lock()

    def send(kind: str, content: Any) -> None:
        with sending:
            line.send((kind, content))

    try:
        here, there = profiles
        place = Place.from_plain(content)
        candles = load_candles(place.recipe)
        search = Search(place, candles, lambda text: send("tell", text), here=here, there=there)
        search.run(deadline=deadline, after_trial=lambda progress: send("progress", progress))
        send("done", None)
    except TriptychError as error:
        send("failed", error)


def _die_with_parent(line: Connection) -> None:
    try:
        line.recv()
    except (EOFError, OSError):
        os._exit(1)
