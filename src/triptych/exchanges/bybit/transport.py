"""The only place where HTTP happens: one request out, one reply in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import yarl


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpReply:
    """Status, headers (names compared without regard to case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """No reply came. `was_sent` is False only when the request surely never left."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


class AbstractTransport(ABC):
    """Carries requests."""

    @abstractmethod
    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: str, timeout_s: float
    ) -> HttpReply:
        """Send one request and wait for its reply. Raises TransportError."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class HttpTransport(AbstractTransport):
    """aiohttp, one pool of connections. Make it inside a running loop."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(trust_env=True)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: str, timeout_s: float
    ) -> HttpReply:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            # The query was signed as it stands: it must not be encoded once more.
            async with self._session.request(
                method, yarl.URL(url, encoded=True), headers=headers, data=body or None, timeout=timeout,
                allow_redirects=False,
            ) as reply:  # fmt: skip
                return HttpReply(status=reply.status, headers=reply.headers, body=await reply.read())
        except aiohttp.ClientConnectorError as error:
            raise TransportError(str(error), was_sent=False) from error
        except TimeoutError as error:
            raise TransportError(f"no reply within {timeout_s:g} s", was_sent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError(f"{type(error).__name__}: {error}", was_sent=True) from error

    async def close(self) -> None:
        await self._session.close()
