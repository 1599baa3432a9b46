"""A house that is put together runs, opened to those who look at it, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from triptych.bootstrap.controlling import Control, under_control
from triptych.bootstrap.house import House
from triptych.bootstrap.serving_metrics import serve_metrics
from triptych.bootstrap.telling import Tell
from triptych.domain import utc
from triptych.domain.errors import JournalError, LeaseError
from triptych.live.books import Books
from triptych.live.journal import StepRecorded, SwitchSet
from triptych.live.reloading import watched as watching
from triptych.live.trader import Trader


async def run_session(house: House, metrics_at: tuple[str, int] | None, control: Control | None, tell: Tell) -> None:
    """Run until the tape ends or Ctrl-C; then give the lease back.

    Raises RecipeError where others can reach `metrics_at` and TRIPTYCH_METRICS_TOKEN is not set.
    """
    server = await serve_metrics(house.metrics, house.trader.reasons, metrics_at, tell)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError):  # not on Windows, not in a thread
            loop.add_signal_handler(name, stop.set)
    tell(f"Journal: {_named(house)}.")
    house.alerts.start()
    try:
        view = house.view, house.candles, house.journal_at
        # Opened first: a kill must be heard while candles are fetched and the venue is asked, however long that takes.
        async with under_control(*view, control, tell), watching(house.reloaders, house.settings.reload) as look:
            async with _kept_closing(house.trader):
                await house.runner.start(house.engine.memory, house.engine.needed)
            with contextlib.suppress(NotImplementedError, ValueError, AttributeError):
                loop.add_signal_handler(signal.SIGHUP, look)
            try:
                await house.runner.run(stop)
            finally:
                _require_written(house.trader.books)
        assert house.journal.lease is not None
        house.journal.lease.release()
    finally:
        house.trader.close()
        await house.alerts.stop()
        await server.stop()


def _named(house: House) -> str:
    """The journal, its file in full, and whether it is gone on with: from another folder a start begins a new one."""
    where, last = house.journal_at, house.journal.last(StepRecorded)
    place = house.journal.place if "://" in str(where) else str(Path(where).absolute())
    if last is None or not isinstance(last.record, StepRecorded):
        return f"{place}, which holds no decision yet"
    return f"{place}, gone on with from the close of {utc(last.record.close_ms)} UTC"


@contextlib.asynccontextmanager
async def _kept_closing(trader: Trader) -> AsyncIterator[None]:
    """After a kill, close again and again while something else is waited for; the runner goes on with it."""
    task = asyncio.create_task(trader.keep_closing())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _require_written(books: Books) -> None:
    """At the end nothing may be left that the journal does not hold: a switch turned on a full disk, say.

    Raises JournalError that names what would be lost.
    """
    with contextlib.suppress(LeaseError):  # what another process writes now is its own affair
        if not books.flush() and books.kept_aside:
            kept = [
                f"the switch at {one.switch}" if isinstance(one, SwitchSet) else type(one).__name__
                for one in books.kept_aside
            ]
            marked = books.switch.beside
            more = f" Beside it stands the switch at {marked.switch}, which counts at the next start." if marked else ""
            raise JournalError(
                f"The session ends, and the journal could not be written: {', '.join(kept)} will not be remembered by "
                f"it.{more}",
                remedy="Make room on the disk. The fills are asked for at the next start.",
            )
