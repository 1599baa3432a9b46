"""The session's own small API: what a dashboard in another process reads, and the switch it may turn::

    GET  /api/name                         name, venue and symbols; answered during a start too
    GET  /api/session                      state, see `SessionView`
    GET  /api/candles?symbol=S&from=MS     candles that open at MS or later
    GET  /api/journal?after=SEQ&limit=N    entries of the journal as they were written
    POST /api/switch                       takes {"switch": "killed" | "close_only" | "run", "confirm": NAME,
                                           "reason": TEXT, "by": TEXT}, answers {"switch", "closed", "pending",
                                           "problems", "orders"}

Everything takes the token, as `Authorization: Bearer`. The journal is read through a connection of its own that cannot
write, in a thread: a reader never keeps the one writer waiting.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from triptych.domain.errors import JournalError, LeaseError, StorageError
from triptych.live.access import Access
from triptych.live.control.asking import application, refused, whole, wish_of
from triptych.live.control.view import SessionView
from triptych.live.control.watched import Watched
from triptych.live.journal import Journal
from triptych.live.listening import listen

MOST_ENTRIES: Final = 2_000
ANSWER_S: Final = 2.0
"""How long the journal is waited for when the state is asked for."""


class ControlServer:
    """Serves until it is stopped."""

    def __init__(self, view: SessionView, candles: Watched, journal: Journal, access: Access) -> None:
        """Serve `view` and `candles`; `journal` must be open for reading only, and is closed at the end.

        Raises ValueError without a token: this server can close positions.
        """
        if access.token is None:
            raise ValueError("The control server takes a token, on the loopback address too.")
        self._view, self._candles, self._journal, self._access = view, candles, journal, access
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port. Raises StorageError when the address is taken."""
        app = application(self._access)
        app.router.add_get("/api/name", self._named)
        app.router.add_get("/api/session", self._session)
        app.router.add_get("/api/candles", self._candle_rows)
        app.router.add_get("/api/journal", self._entries)
        app.router.add_post("/api/switch", self._turn)
        try:
            self._runner, taken = await listen(app, self._access.host, port, what="The session")
        except StorageError:
            self._journal.close()
            raise
        return taken

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._journal.close()

    async def _named(self, _request: web.Request) -> web.Response:
        view = self._view
        return web.json_response({"name": view.name, "venue": view.venue, "symbols": list(view.symbols)})

    async def _session(self, _request: web.Request) -> web.Response:
        try:
            switched = await asyncio.wait_for(asyncio.to_thread(self._journal.switch), ANSWER_S)
        except (JournalError, TimeoutError):
            switched = None  # the state says itself that the journal does not work
        return web.json_response(self._view.state(switched))

    async def _candle_rows(self, request: web.Request) -> web.Response:
        symbol, start = request.query.get("symbol", ""), whole(request.query.get("from", "0"))
        if start is None:
            return refused(400, "from is a time in UTC milliseconds.")
        return web.json_response({"symbol": symbol, "rows": self._candles.rows(symbol, from_ms=start)})

    async def _entries(self, request: web.Request) -> web.Response:
        after, limit = whole(request.query.get("after", "0")), whole(request.query.get("limit", str(MOST_ENTRIES)))
        if after is None or limit is None:
            return refused(400, "after and limit are whole numbers.")
        try:
            rows, newest = await asyncio.to_thread(self._read, after, min(limit, MOST_ENTRIES))
        except JournalError as error:
            return refused(503, error.message)
        return web.json_response({"rows": rows, "newest": newest})

    def _read(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        return self._journal.rows(after=after, limit=limit), self._journal.newest()

    async def _turn(self, request: web.Request) -> web.Response:
        wish = await wish_of(request, self._view.name)
        if isinstance(wish, web.Response):
            return wish
        try:
            closure = await self._view.trader.turn(wish.switch, by=wish.by, reason=wish.reason)
        except LeaseError as error:
            return refused(409, error.message)
        return web.json_response({"switch": str(wish.switch), **closure.to_dict()})
