"""The control server of a session that is not there yet: while it reconciles, loads models and fetches candles.

It runs in a thread of its own, since a start is not one event loop. It takes a kill, or `close_only`, into the file
beside the journal at once; the start looks there wherever it waits, and the session that follows begins with it. Asked
for anything else it says that the session is starting.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from aiohttp import web

from triptych.domain.errors import StorageError
from triptych.live.access import Access
from triptych.live.control.asking import application, refused, wish_of
from triptych.live.journal import Switch, SwitchMarker
from triptych.live.listening import listen

STARTING: Final = "the session is starting: what was said is written down, and counts as soon as it asks the venue"
NOT_YET: Final = "The session is starting."


class StartingServer:
    """Serves between `start` and `stop`, again and again if need be."""

    def __init__(self, name: str, marker: SwitchMarker, access: Access, port: int) -> None:
        """Serve for the instance `name` at the port that its session will have.

        Raises ValueError without a token, as `ControlServer`.
        """
        if access.token is None:
            raise ValueError("The control server takes a token, on the loopback address too.")
        self._name, self._marker, self._access, self._port = name, marker, access, port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._error: StorageError | None = None

    def start(self) -> None:
        """Listen, unless it does already. Raises StorageError when the address is taken."""
        if self._thread is not None:
            return
        listening = threading.Event()
        self._error = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="control of a start", daemon=True
        )
        self._thread.start()
        listening.wait()
        if self._error is not None:
            self._thread.join()
            self._thread = None
            raise self._error

    def stop(self) -> None:
        """Stop listening, if it does: the address is free then."""
        if self._thread is None:
            return
        assert self._loop is not None
        assert self._ending is not None
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self._thread = None

    async def _serve(self, listening: threading.Event) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        app = application(self._access)
        app.router.add_get("/api/name", self._named)
        app.router.add_post("/api/switch", self._turn)
        app.router.add_get("/{anything:.*}", self._not_yet)
        try:
            runner, _ = await listen(app, self._access.host, self._port, what="The session")
        except StorageError as error:
            self._error = error
            return
        finally:
            listening.set()
        await self._ending.wait()
        await runner.cleanup()

    async def _named(self, _request: web.Request) -> web.Response:
        return web.json_response({"name": self._name, "venue": "", "symbols": []})

    async def _not_yet(self, _request: web.Request) -> web.Response:
        return refused(503, NOT_YET)

    async def _turn(self, request: web.Request) -> web.Response:
        wish = await wish_of(request, self._name)
        if isinstance(wish, web.Response):
            return wish
        if wish.switch is Switch.RUN:
            return refused(503, f"{NOT_YET} Its switch is set back once it runs.")
        try:
            self._marker.keep(wish)
        except StorageError as error:
            return refused(507, error.message)
        return web.json_response(
            {"switch": str(wish.switch), "closed": False, "pending": [STARTING], "problems": [], "orders": []}
        )
