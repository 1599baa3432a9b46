"""The session's own small API: what a dashboard in another process reads, and the switch it may turn::

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
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from triptych.domain.errors import JournalError, LeaseError, StorageError
from triptych.live.access import Access, bearer
from triptych.live.control.view import SessionView
from triptych.live.control.watched import Watched
from triptych.live.journal import Journal, Switch
from triptych.live.listening import listen

MOST_ENTRIES: Final = 2_000
MOST_BODY: Final = 4_096


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
        app = web.Application(middlewares=[self._admit], client_max_size=MOST_BODY)
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

    @web.middleware
    async def _admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not self._access.names_us(request.host):
            return _refused(421, "This is not the host that was asked for.")
        if not self._access.knows(bearer(request.headers.get("Authorization", ""))):
            return _refused(401, "The token is missing or wrong.")
        response = await handler(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _session(self, _request: web.Request) -> web.Response:
        try:
            switched = await asyncio.to_thread(self._journal.switch)
        except JournalError:
            switched = None  # the state says itself that the journal does not work
        return web.json_response(self._view.state(switched))

    async def _candle_rows(self, request: web.Request) -> web.Response:
        symbol, start = request.query.get("symbol", ""), request.query.get("from", "0")
        if not start.isdigit():
            return _refused(400, "from is a time in UTC milliseconds.")
        return web.json_response({"symbol": symbol, "rows": self._candles.rows(symbol, from_ms=int(start))})

    async def _entries(self, request: web.Request) -> web.Response:
        after, limit = request.query.get("after", "0"), request.query.get("limit", str(MOST_ENTRIES))
        if not after.isdigit() or not limit.isdigit():
            return _refused(400, "after and limit are whole numbers.")
        try:
            rows, newest = await asyncio.to_thread(self._read, int(after), min(int(limit), MOST_ENTRIES))
        except JournalError as error:
            return _refused(503, error.message)
        return web.json_response({"rows": rows, "newest": newest})

    def _read(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        return self._journal.rows(after=after, limit=limit), self._journal.newest()

    async def _turn(self, request: web.Request) -> web.Response:
        try:
            said = await request.json()
            switch = Switch(said["switch"])
            confirmed, reason = str(said["confirm"]), _short(said.get("reason", ""), 200)
            by = _short(said.get("by", ""), 40) or "the dashboard"
        except (json.JSONDecodeError, KeyError, ValueError, TypeError):
            return _refused(400, "Expected JSON with switch (run, close_only or killed), confirm and reason.")
        if confirmed != self._view.name:
            return _refused(409, f"Not confirmed: confirm must be the name of the instance, {self._view.name}.")
        try:
            closure = await self._view.trader.turn(switch, by=by, reason=reason or "no reason was given")
        except LeaseError as error:
            return _refused(409, error.message)
        return web.json_response({"switch": str(switch), **closure.to_dict()})


def _short(text: object, length: int) -> str:
    """Words of somebody else on one line."""
    return " ".join(str(text).split())[:length]


def _refused(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
