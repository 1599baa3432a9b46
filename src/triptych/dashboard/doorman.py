"""The door: every request and every WebSocket passes here before any page or twin is reached.

On the loopback address nobody is asked for the token, but only its own names are answered, so that a web page of
somebody else cannot reach in through a name that points here. Everywhere else a browser signs in once, and gets a
cookie; programs send the token with each request. What acts, the switch, takes the token or a signed-in browser always.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections import deque
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triptych.dashboard.drawing import render
from triptych.live.access import bearer
from triptych.live.control import Access, is_loopback

COOKIE: Final = "triptych_session"
SIGNED_IN: Final = "triptych.signed_in"
"""Key of the scope that says whether a request was signed in."""
LIFETIME_S: Final = 12 * 3_600
ATTEMPTS, WITHIN_S = 8, 60.0
MOST_BODY: Final = 4_096
OPEN: Final = ("/static/",)
HEADERS: Final = {
    b"x-frame-options": b"DENY", b"x-content-type-options": b"nosniff", b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"frame-ancestors 'none'",
}  # fmt: skip


class Doorman:
    """ASGI middleware. Keeps no token and no cookie readable: of a cookie it remembers the hash."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Let pass to `app` whom `access` admits."""
        self.app, self._access = app, access
        self._sessions: dict[str, float] = {}
        self._failures: deque[float] = deque(maxlen=ATTEMPTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin", "")
        if not self._access.names_us(host):
            await self._refuse(scope, receive, send, 421, "This is not the host that was asked for.")
            return
        if not self._access.is_same_origin(origin, host) and _changes(scope):
            await self._refuse(scope, receive, send, 403, "The request comes from a page of somebody else.")
            return
        signed_in = self._is_signed_in(headers)
        scope[SIGNED_IN] = signed_in
        path = scope["path"]
        if path == "/sign-in" and scope["type"] == "http":
            await self._sign_in(scope, receive, _hardened(send))
        elif signed_in or is_loopback(self._access.host) or path.startswith(OPEN):
            await self.app(scope, receive, _hardened(send))
        elif scope["type"] == "http" and scope["method"] == "GET" and not path.startswith("/api/"):
            response = RedirectResponse(f"/sign-in?to={quote(path)}", status_code=303)
            await response(scope, receive, _hardened(send))
        else:
            await self._refuse(scope, receive, send, 401, "Sign in, or send the token as Authorization: Bearer.")

    def _is_signed_in(self, headers: Headers) -> bool:
        if self._access.knows(bearer(headers.get("authorization", ""))):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        if morsel is None:
            return False
        expires = self._sessions.get(_hashed(morsel.value), 0.0)
        return time.monotonic() < expires

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        target = _local(query.get("to", ["/"])[0])
        if scope["method"] != "POST":
            await HTMLResponse(_form(target, ""))(scope, receive, send)
            return
        said = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        if not self._access.knows(said.get("token", [""])[0].strip()):
            # Only wrong tokens are made to wait: a stranger's guesses must not keep the owner from the kill switch.
            if self._is_tired():
                await HTMLResponse(_form(target, "Too many wrong tokens. Wait a minute."), 429)(scope, receive, send)
                return
            self._failures.append(time.monotonic())
            await HTMLResponse(_form(target, "This is not the token."), 401)(scope, receive, send)
            return
        cookie = secrets.token_urlsafe(32)
        now = time.monotonic()
        self._sessions = {one: until for one, until in self._sessions.items() if until > now}
        self._sessions[_hashed(cookie)] = now + LIFETIME_S
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            COOKIE, cookie, max_age=LIFETIME_S, httponly=True, samesite="strict", secure=scope["scheme"] == "https"
        )
        await response(scope, receive, send)

    def _is_tired(self) -> bool:
        """Whether too many wrong tokens came of late, from wherever."""
        return len(self._failures) == ATTEMPTS and time.monotonic() - self._failures[0] < WITHIN_S

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        response: Response = JSONResponse({"error": reason}, status_code=status)
        await response(scope, receive, _hardened(send))


def _changes(scope: Scope) -> bool:
    return scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _hardened(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            more = [(name, value) for name, value in HEADERS.items() if name not in present]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return wrapped


def _local(target: str) -> str:
    """Where to go after signing in: a path of ours, whatever a link says."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target else "/"


def _form(target: str, trouble: str) -> str:
    return render("sign_in", {"target": quote(target), "trouble": trouble})


async def _body(receive: Receive) -> bytes:
    body = b""
    while len(body) <= MOST_BODY:
        message: MutableMapping[str, Any] = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[:MOST_BODY]


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def as_json(content: Any) -> Response:
    """A twin as an answer that nobody stores."""
    return Response(
        json.dumps(content, allow_nan=False, ensure_ascii=False), media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )  # fmt: skip
