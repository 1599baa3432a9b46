"""A running house opened to those who look at it: its control server, and whatever is to run beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from triptych.bootstrap.telling import Tell
from triptych.live.control import Access, ControlServer, SessionView, Watched
from triptych.live.journal import Journal


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
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(repr=False)
    beside: Callable[[str], Callable[[], None]] = nothing_beside


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
    port = await server.start(control.port)
    host = f"[{control.host}]" if ":" in control.host else control.host
    tell(f"Session: http://{host}:{port}/api/session, with the token.")
    end = control.beside(f"http://{host}:{port}")
    try:
        yield
    finally:
        end()
        await server.stop()
