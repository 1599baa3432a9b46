"""The dashboard as a program: parts joined, address checked, served until it is stopped."""

from __future__ import annotations

import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import uvicorn
from pydantic import Field

from triptych import domain
from triptych.bootstrap.journals import open_journal
from triptych.dashboard.api import create_api
from triptych.dashboard.desk import Desk
from triptych.dashboard.library import Library
from triptych.dashboard.pictures import Heat, Pictures
from triptych.dashboard.room import Room
from triptych.dashboard.site import add_pages
from triptych.domain.errors import RecipeError, StorageError
from triptych.live.control import Access, SessionClient
from triptych.market import read_candles


class Config(domain.Config):
    """What the dashboard looks at, and where it listens."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; any other than the loopback takes a token."
    )
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    session: str | None = Field(default=None, description="URL of a live session's control server.")
    journal: str | None = Field(default=None, description="Journal to read where no session is followed.")
    name: str | None = Field(default=None, description="Instance, where the journal holds several.")
    candles: Path | None = Field(default=None, description="File of candles for a journal's chart and pictures.")
    models: tuple[Path, ...] = Field(default=(), description="Runs whose models decided, for a journal's pictures.")
    runs: Path = Field(default=Path("runs"), description="Folder of finished runs.")
    every_seconds: float = Field(
        default=1.0, gt=0, le=60, description="Seconds between two looks at the session or the journal."
    )


def serve_dashboard(
    config: Config,
    *,
    token: str | None = None,
    heat: Heat | None = None,
    on_ready: Callable[[str], None] = lambda url: None,
    until_closed: TextIO | None = None,
) -> None:
    """Serve until Ctrl-C.

    Args:
        config: what to look at, where to listen.
        token: that sign-in and switch take; a session is asked with it.
        heat: explains pictures; None: pictures are shown without heat.
        on_ready: told the URL once it listens.
        until_closed: serve only as long as this is open at its other end, such as the standard input from a session.

    Raises RecipeError without a token where one is needed, JournalError for a journal that cannot be read, StorageError
    when the address is taken.
    """
    access = Access(host=config.host, token=token)
    room = open_room(config, token=token, heat=heat)
    app = create_api(room, access, every_s=config.every_seconds)
    add_pages(app, room)
    server = uvicorn.Server(
        uvicorn.Config(
            app, host=config.host, port=config.port, log_level="error", access_log=False, ws="websockets-sansio"
        )
    )
    listening = _listen(config)
    port = int(listening.getsockname()[1])
    host = f"[{config.host}]" if ":" in config.host else config.host
    if until_closed is not None:
        threading.Thread(target=_end_with, args=(until_closed, server), daemon=True).start()
    on_ready(f"http://{host}:{port}")
    with warnings.catch_warnings():
        # NiceGUI looks at every object there is for its server, PyTorch's deprecated ones among them.
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"nicegui\.")
        server.run(sockets=[listening])


def open_room(config: Config, *, token: str | None = None, heat: Heat | None = None) -> Room:
    """Join what a dashboard looks at. Raises as `serve_dashboard`."""
    session = None
    if config.session is not None:
        if token is None:
            raise RecipeError(
                "A session is asked with its token, and there is none.", remedy="Set TRIPTYCH_TOKEN to the session's."
            )
        session = SessionClient(config.session, token)
    journal = None
    if session is None and config.journal is not None:
        place: str | Path = config.journal if "://" in config.journal else Path(config.journal)
        journal = open_journal(place, config.name)
    candles = {} if config.candles is None else _rows(config.candles)
    pictures = Pictures(config.models, heat)
    desk = Desk(
        session=session, journal=journal, candles=candles, place=journal.place if journal else "",
        on_models=None if config.models else pictures.follow,
    )  # fmt: skip
    return Room(desk=desk, pictures=pictures, library=Library(config.runs))


def _rows(path: Path) -> dict[str, list[tuple[float, ...]]]:
    return {
        one.symbol: [(int(t), *map(float, row)) for t, row in zip(one.open_time_ms, one.values, strict=True)]
        for one in read_candles(path).series
    }


def _listen(config: Config) -> socket.socket:
    """Bound before anything else runs, so that a taken port is told in words."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((config.host, config.port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise StorageError(
            f"The dashboard cannot be served on {config.host}:{config.port}: {error.strerror or error}.",
            remedy="Choose another port, or stop the process that listens there.",
        ) from error
    return listening


def _end_with(stream: TextIO, server: uvicorn.Server) -> None:
    while stream.read(1):
        pass
    server.should_exit = True
