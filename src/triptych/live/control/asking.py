"""What the servers of a session hold every request against: where it was sent, its token, and the words of a wish."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from triptych.live.access import Access, bearer
from triptych.live.journal import Switch, SwitchSet

MOST_BODY: Final = 4_096
"""Bytes of a request."""
MOST_DIGITS: Final = 18
"""Of a whole number that is asked with: what a database counts with has 19."""


def application(access: Access) -> web.Application:
    """An application that admits only what knows the token and was sent to a name of ours."""

    @web.middleware
    async def admit(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not access.names_us(request.host):
            return refused(421, "This is not the host that was asked for.")
        if not access.knows(bearer(request.headers.get("Authorization", ""))):
            return refused(401, "The token is missing or wrong.")
        response = await handler(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return web.Application(middlewares=[admit], client_max_size=MOST_BODY)


async def wish_of(request: web.Request, name: str) -> SwitchSet | web.Response:
    """What the switch is to be set to, confirmed by the name of the instance; otherwise a refusal."""
    try:
        said = await request.json()
        wish = SwitchSet(
            switch=Switch(said["switch"]),
            by=_short(said.get("by", ""), 40) or "the dashboard",
            reason=_short(said.get("reason", ""), 200) or "no reason was given",
        )
        confirmed = str(said["confirm"])
    except (json.JSONDecodeError, KeyError, ValueError, TypeError):
        return refused(400, "Expected JSON with switch (run, close_only or killed), confirm and reason.")
    if confirmed != name:
        return refused(409, f"Not confirmed: confirm must be the name of the instance, {name}.")
    return wish


def whole(text: str) -> int | None:
    """A whole number as a request may name it; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def refused(status: int, reason: str) -> web.Response:
    """An error in words."""
    return web.json_response({"error": reason}, status=status)


def _short(text: object, length: int) -> str:
    """Words of somebody else on one line."""
    return " ".join(str(text).split())[:length]
