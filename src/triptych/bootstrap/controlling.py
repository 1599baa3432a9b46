"""A running house opened to those who look at it: its control server, and whatever is to run beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from triptych.bootstrap.telling import Tell
from triptych.domain.errors import StorageError
from triptych.live.control import Access, ControlServer, SessionView, StartingServer, Watched
from triptych.live.journal import Journal, SwitchMarker


def nothing_beside(_url: str) -> Callable[[], None]:
    """Nothing runs beside the session."""
    return lambda: None


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """How a session is opened.

    Attributes:
        host, port: where its control server listens; port 0 takes a free one.
        token: that everything takes.
        beside: called with the server's URL once it listens, such as to start a dashboard; what it returns is called
            at the end.
        first: listens there before the session does, see `heard_from_the_start`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(repr=False)
    beside: Callable[[str], Callable[[], None]] = nothing_beside
    first: StartingServer | None = None


@contextmanager
def heard_from_the_start(
    control: Control | None, journal_at: str | Path, name: str, tell: Tell
) -> Iterator[Control | None]:
    """Open the address of a session before there is one, for a kill; `under_control` takes the address over.

    Args:
        control: how the session will be opened; None, or one without a port of its own, is left as it is.
        journal_at: path or URL of its journal, which need not exist.
        name: of the instance.
        tell: told in words where the address is taken, as by the session that a standby waits for.

    Raises RecipeError for a token that does not do.
    """
    if control is None or not control.port:
        yield control
        return
    access = Access(host=control.host, token=control.token)
    first = StartingServer(name, SwitchMarker.of(journal_at, name), access, control.port)
    listen_first(first, tell)
    try:
        yield replace(control, first=first)
    finally:
        first.stop()


def listen_first(first: StartingServer, tell: Tell) -> None:
    """Begin to listen for a kill, where the address is free."""
    try:
        first.start()
    except StorageError as error:
        tell(f"{error.message} Until the session has it, `triptych kill --journal` is what it hears.")


@asynccontextmanager
async def under_control(
    view: SessionView, candles: Watched, journal_at: str | Path, control: Control | None, tell: Tell
) -> AsyncIterator[None]:
    """Serve the control server of a session while it runs; without `control` nothing is served.

    Args:
        view, candles: of the session.
        journal_at: path or URL of its journal, which exists.
        control: how it is opened.
        tell: told the address in words.

    Raises StorageError when the address is taken, RecipeError for a token that does not do.
    """
    if control is None:
        yield
        return
    reader = Journal.read(journal_at, view.name)
    access = Access(host=control.host, token=control.token)
    server = ControlServer(view, candles, reader, access)
    if control.first is not None:
        await asyncio.to_thread(control.first.stop)
    port = await server.start(control.port)
    host = f"[{control.host}]" if ":" in control.host else control.host
    tell(f"Session: http://{host}:{port}/api/session, with the token.")
    end = control.beside(f"http://{host}:{port}")
    try:
        yield
    finally:
        end()
        await server.stop()
