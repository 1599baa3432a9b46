"""The twins over HTTP: every page has its JSON under /api, by the same functions that the pages are drawn from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from triptych.dashboard.doorman import SIGNED_IN, Doorman, as_json
from triptych.dashboard.pages import decisions, health, journal, orders, overview, runs
from triptych.dashboard.room import Room
from triptych.domain.signal import CLASSES
from triptych.live.control import Access, SessionError

STATIC: Final = Path(__file__).parent / "static"
MOST: Final = 1_000
Limit = Annotated[int, Query(ge=1, le=MOST)]


def create_api(room: Room, access: Access, *, every_s: float = 1.0) -> FastAPI:
    """The application without pages.

    Args:
        room: to look at; its desk is started and stopped with the application.
        access: who may look and who may act.
        every_s: seconds between two looks at the session or the journal.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if room.desk.session is not None:
            await room.desk.session.__aenter__()
        room.desk.start(every_s)
        try:
            yield
        finally:
            await room.desk.stop()
            if room.desk.session is not None:
                await room.desk.session.__aexit__(None, None, None)

    app = FastAPI(title="Triptych", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(Doorman, access=access)
    app.mount("/static", StaticFiles(directory=STATIC))
    _add_twins(app, room)
    _add_files(app, room)
    _add_switch(app, room)
    return app


def _add_twins(app: FastAPI, room: Room) -> None:
    @app.get("/api/overview")
    def _overview(symbol: str = "") -> Response:
        return as_json(overview.twin(room, symbol))

    @app.get("/api/decisions")
    def _decisions(symbol: str = "", acted: bool = False, search: str = "", limit: Limit = decisions.SHOWN) -> Response:
        return as_json(decisions.twin(room, symbol=symbol, acted=acted, search=search, limit=limit))

    @app.get("/api/orders")
    def _orders(phase: str = "", limit: Limit = orders.SHOWN) -> Response:
        return as_json(orders.twin(room, phase=phase, limit=limit))

    @app.get("/api/health")
    def _health() -> Response:
        return as_json(health.twin(room))

    @app.get("/api/journal")
    def _journal(group: str = "", search: str = "", limit: Limit = journal.SHOWN) -> Response:
        return as_json(journal.twin(room, group=group, search=search, limit=limit))

    @app.get("/api/runs")
    def _runs() -> Response:
        return as_json(runs.twin(room))


def _add_files(app: FastAPI, room: Room) -> None:
    @app.get("/api/decisions/{seq}/{symbol}/{member}.png")
    async def _picture(seq: int, symbol: str, member: str, heat: str = "") -> Response:
        one = room.desk.story.decision(seq, symbol)
        if one is None or one.prediction is None or (heat and heat not in CLASSES):
            return JSONResponse({"error": "There is no such picture."}, status_code=404)
        # In a thread: the first picture loads its model.
        drawn = await asyncio.to_thread(
            room.pictures.picture, room.desk.candles, symbol, one.close_ms, model=one.prediction.model,
            member=member, identity=one.identity, class_index=CLASSES.index(heat) if heat else None,
        )  # fmt: skip
        if drawn is None:
            return JSONResponse({"error": "Its candles or its model are not here any more."}, status_code=404)
        return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})

    @app.get("/reports/{name:path}")
    def _report(name: str) -> Response:
        path = room.library.report(name)
        if path is None:
            return JSONResponse({"error": "There is no such report."}, status_code=404)
        return FileResponse(path, media_type="text/html")


def _add_switch(app: FastAPI, room: Room) -> None:
    @app.post("/api/switch")
    async def _switch(request: Request) -> Response:
        """Turn the switch of the session: {"switch", "confirm", "reason", "token"}; `token` unless signed in."""
        try:
            said = json.loads(await request.body())
            switch, confirm = str(said["switch"]), str(said["confirm"])
            reason, token = str(said.get("reason", "")), str(said.get("token", ""))
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "Expected JSON with switch and confirm."}, status_code=400)
        if room.desk.session is None:
            return JSONResponse({"error": "No session is followed, so nothing can be switched."}, status_code=409)
        try:
            done = await room.desk.session.turn(
                switch, confirm=confirm, reason=reason, token=None if request.scope.get(SIGNED_IN) else token
            )
        except SessionError as error:
            return JSONResponse({"error": error.message}, status_code=error.status or 502)
        await room.desk.look()
        return as_json(done)
