"""What watches the market beside the models: read in a thread of its own, in time, from a copy of the candles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from triptych.inference.base import AbstractView
from triptych.inference.watch import AbstractWatch, Reading
from triptych.live.books import Books
from triptych.live.failover.snapshot import Snapshot
from triptych.live.journal import NoteWritten
from triptych.trading.guard import GuardActed


class Watcher:
    """Asks a watch at every close. What it cannot say in time is a missing reading, and the guard's policy decides."""

    def __init__(self, watch: AbstractWatch, *, deadline_s: float, note: Callable[[str, str, str, str], None]) -> None:
        """Wait at most `deadline_s` for a reading; `note` is told in words when there is none."""
        self._watch, self._deadline_s, self._note = watch, deadline_s, note
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watch")
        self._running: Future[dict[str, Reading | None]] | None = None

    async def read(
        self, view: AbstractView, closes: Mapping[str, int], *, deadline_s: float | None = None
    ) -> Mapping[str, Reading | None]:
        """A reading for each symbol, None where there is none. Never raises for what the watch does.

        `deadline_s` is that of this reading, where it is another than usual.
        """
        deadline_s = self._deadline_s if deadline_s is None else deadline_s
        nothing: dict[str, Reading | None] = dict.fromkeys(closes)
        if self._running is not None and not self._running.done():
            self._note("warning", "guard", "the detector is still busy with an earlier close", "")
            return nothing
        snapshot = Snapshot(view, self._watch.length, (*closes, *self._watch.symbols))
        self._running = self._worker.submit(self._watch.read_all, snapshot, dict(closes))
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.shield(asyncio.wrap_future(self._running))
        except TimeoutError:
            self._note("warning", "guard", f"the detector missed its deadline of {deadline_s:g} s", "")
        except Exception as error:  # a model may fail in any way
            said = " ".join(str(error).split())[:200]
            self._note("warning", "guard", f"the detector failed: {type(error).__name__}: {said}", "")
        return nothing

    def close(self) -> None:
        """Let go of the thread, without waiting for a call that hangs."""
        self._worker.shutdown(wait=False, cancel_futures=True)


def tell_guard(records: Iterable[object], books: Books, note: Callable[[str, str, str, str], None]) -> None:
    """Write down and tell what the engine's guard did at a decision, of whose `records` only these are looked at."""
    for one in records:
        if isinstance(one, GuardActed):
            text = f"{one.action}: {one.reason}"
            books.write(NoteWritten(topic="guard", text=text, symbol=one.symbol))
            note("warning", "guard", text, one.symbol)
