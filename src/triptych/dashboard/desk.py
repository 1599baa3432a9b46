"""What the pages are drawn from: a session that runs, or a journal that one has left, kept up to date by one task.

A session is asked over its API. A journal is read through a connection that cannot write; either way whoever trades is
never kept waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from triptych.dashboard.story import Story
from triptych.domain.errors import JournalError
from triptych.live.control import SessionClient, SessionError
from triptych.live.journal import Journal, read_row

Row = tuple[float, ...]
CHUNK: Final = 500
"""Entries asked for at a time."""
DEPTH: Final = 20_000
"""Entries of a longer journal that are read at the start: the newest."""
KEPT_CANDLES: Final = 3_000
OVERLAP: Final = 50


class Desk:
    """Everything known of one trading instance.

    Attributes:
        story: what its journal says.
        state: of the session when it last answered; None before, and without a session.
        candles: by symbol, rows of open time (UTC ms), open, high, low, close, volume.
        trouble: why the newest look failed; empty when it did not.
        heard_s: monotonic time of the newest answer; None before the first.
        is_reading: whether older entries of the journal are still coming in.
    """

    def __init__(
        self,
        *,
        session: SessionClient | None = None,
        journal: Journal | None = None,
        candles: Mapping[str, list[Row]] | None = None,
        place: str | Path = "",
        on_models: Callable[[Sequence[Path]], None] | None = None,
    ) -> None:
        """Follow `session`, or `journal` when there is none; with neither there is nothing to show but runs.

        Args:
            session: to ask; must be entered.
            journal: opened for reading.
            candles: where no session brings them.
            place: of the journal, in words.
            on_models: told the folders of the session's runs at every look.
        """
        self.story = Story()
        self.state: dict[str, Any] | None = None
        self.candles: dict[str, list[Row]] = {symbol: list(rows) for symbol, rows in (candles or {}).items()}
        self.trouble = ""
        self.heard_s: float | None = None
        self.is_reading = session is not None or journal is not None
        self.place = str(place)
        self.session = session
        self._journal, self._on_models = journal, on_models
        self._task: asyncio.Task[None] | None = None
        self._started = False

    @property
    def is_live(self) -> bool:
        """Whether this desk follows a session."""
        return self.session is not None

    @property
    def has_instance(self) -> bool:
        """Whether there is anything to show but runs."""
        return self.session is not None or self._journal is not None

    @property
    def name(self) -> str:
        """Of the instance."""
        if self.state is not None:
            return str(self.state["name"])
        return self._journal.name if self._journal is not None else ""

    @property
    def now_ms(self) -> int:
        """The instance's own clock as last heard: a replayed market lives at another time than ours."""
        return int(self.state["now_ms"]) if self.state is not None else self.story.last_ms

    @property
    def silent_s(self) -> float:
        """Seconds since the newest answer."""
        return 0.0 if self.heard_s is None else time.monotonic() - self.heard_s

    @property
    def symbols(self) -> tuple[str, ...]:
        """Instruments that are traded, those of the session first."""
        if self.state is not None:
            return tuple(self.state["symbols"])
        return tuple(dict.fromkeys(one.symbol for one in self.story.decisions))

    def start(self, every_s: float) -> None:
        """Look every so many seconds, in a task of this loop."""
        if self.has_instance and self._task is None:
            self._task = asyncio.create_task(self._follow(every_s))

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._journal is not None:
            self._journal.close()

    async def look(self) -> None:
        """Look once. What fails is told in `trouble`."""
        try:
            if self.session is not None:
                self.state = await self.session.state()
                self.heard_s = time.monotonic()
                if self._on_models is not None:
                    self._on_models([Path(one["folder"]) for one in self.state["models"]])
                for symbol in self.state["symbols"]:
                    await self._fetch_candles(symbol)
            await self._read()
            self.heard_s, self.trouble = time.monotonic(), ""
        except (SessionError, JournalError) as error:
            self.trouble = error.message

    async def _follow(self, every_s: float) -> None:
        while True:
            await self.look()
            await asyncio.sleep(every_s)

    async def _fetch_candles(self, symbol: str) -> None:
        assert self.session is not None
        known = self.candles.setdefault(symbol, [])
        # Some that are known already are asked for again: a gap behind them may have been closed meanwhile.
        from_ms = int(known[-OVERLAP][0]) if len(known) >= OVERLAP else 0
        fresh = await self.session.candles(symbol, from_ms)
        older = [row for row in known if row[0] < from_ms]
        self.candles[symbol] = [*older, *(tuple(row) for row in fresh)][-KEPT_CANDLES:]

    async def _read(self) -> None:
        if not self._started:
            _, newest = await self._rows(0, 1)
            self.story.last_seq = max(0, newest - DEPTH)
            self._started = True
        while True:
            rows, newest = await self._rows(self.story.last_seq, CHUNK)
            if newest < self.story.last_seq:  # another journal stands where the one was
                self.story = Story()
                continue
            for row in rows:
                self.story.take(read_row(row))
            if not rows or self.story.last_seq >= newest:
                break
            await asyncio.sleep(0)  # pages are served between two chunks
        self.is_reading = False

    async def _rows(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        if self.session is not None:
            return await self.session.entries(after, limit)
        assert self._journal is not None
        journal = self._journal
        return await asyncio.to_thread(lambda: (journal.rows(after=after, limit=limit), journal.newest()))
