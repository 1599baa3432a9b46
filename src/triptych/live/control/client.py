"""The way to a live session in another process: its control server, with its token."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp

from triptych.domain.errors import RecipeError, StorageError
from triptych.live.access import is_loopback

TIMEOUT_S: Final = 5.0


class SessionError(StorageError):
    """The session does not answer, or refuses. `status` is that of HTTP, 0 when nothing answered."""

    def __init__(self, message: str, *, remedy: str = "", status: int = 0) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class SessionClient:
    """Asks one control server. Use it as an asynchronous context. No proxy is asked: the token goes nowhere else."""

    def __init__(self, url: str, token: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Ask the server at `url`, such as http://127.0.0.1:9100; nothing is sent yet.

        Raises RecipeError for an address to which the token would travel readable over a network.
        """
        require_safe(url)
        self.url, self._token, self._timeout_s = url.rstrip("/"), token, timeout_s
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"SessionClient({self.url!r})"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout_s))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def state(self) -> dict[str, Any]:
        """See `SessionView.state`. Raises SessionError."""
        return await self._ask("GET", "/api/session")

    async def named(self) -> dict[str, Any]:
        """Name, venue and symbols; a session that is starting knows only its name. Raises SessionError."""
        return await self._ask("GET", "/api/name")

    async def candles(self, symbol: str, from_ms: int) -> list[list[float]]:
        """Rows of candles that open at `from_ms` or later, oldest first. Raises SessionError."""
        found = await self._ask("GET", "/api/candles", params={"symbol": symbol, "from": str(from_ms)})
        rows: list[list[float]] = found["rows"]
        return rows

    async def entries(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Rows of the journal behind `after`, and the newest `seq` there is. Raises SessionError."""
        found = await self._ask("GET", "/api/journal", params={"after": str(after), "limit": str(limit)})
        return found["rows"], int(found["newest"])

    async def turn(
        self, switch: str, *, confirm: str, reason: str, by: str = "the dashboard", token: str | None = None
    ) -> dict[str, Any]:
        """Turn the switch. The session itself holds `token` against its own, and `confirm` against its name.

        Returns what became of the closing. Raises SessionError with its words.
        """
        said = {"switch": switch, "confirm": confirm, "reason": reason, "by": by}
        return await self._ask("POST", "/api/switch", json=said, token=token)

    async def _ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> dict[str, Any]:
        assert self._session is not None, "SessionClient is used as a context"
        headers = {"Authorization": f"Bearer {self._token if token is None else token}"}
        try:
            async with self._session.request(method, self.url + path, headers=headers, **options) as answer:
                content: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise SessionError(
                f"The session at {self.url} does not answer.",
                remedy="See whether `triptych live --control` runs there.",
            ) from error
        if answer.status != 200:
            raise SessionError(
                str(content.get("error", "The session refused.")),
                remedy="Use the token that the session was started with." if answer.status == 401 else "",
                status=answer.status,
            )
        return content


def require_safe(url: str) -> None:
    """Raise RecipeError where a token would travel readable over a network."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RecipeError(f"{url} is no address of a session.", remedy="Write it like http://127.0.0.1:9100.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise RecipeError(
            f"{url} would carry the token readable over a network.",
            remedy="Use https, or a tunnel: ssh -L 9100:127.0.0.1:9100 HOST.",
        )
