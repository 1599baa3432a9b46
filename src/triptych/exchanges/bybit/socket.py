"""The only place where WebSockets happen: text out, text in."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

import aiohttp


class SocketClosed(Exception):
    """The connection is gone, or never came to be."""


class AbstractSocket(ABC):
    """One connection."""

    @abstractmethod
    async def send(self, text: str) -> None:
        """Send one message. Raises SocketClosed."""

    @abstractmethod
    async def receive(self, timeout_s: float) -> str | bytes:
        """The next message. Raises SocketClosed, and TimeoutError when none comes in that time."""

    @abstractmethod
    async def close(self) -> None:
        """End the connection; never raises, never waits long."""


class AbstractConnector(ABC):
    """Makes connections."""

    @abstractmethod
    async def connect(self, url: str) -> AbstractSocket:
        """Raises SocketClosed."""

    @abstractmethod
    async def close(self) -> None:
        """Release what all connections share."""


class WebSocketConnector(AbstractConnector):
    """aiohttp. Make it inside a running loop."""

    def __init__(self, *, connect_timeout_s: float = 10.0) -> None:
        self._session = aiohttp.ClientSession(trust_env=True)
        self._timeout_s = connect_timeout_s

    async def connect(self, url: str) -> AbstractSocket:
        try:
            async with asyncio.timeout(self._timeout_s):
                # Pings of the protocol itself are answered by aiohttp; ours are messages, which prove more.
                connection = await self._session.ws_connect(url, max_msg_size=0, autoping=True)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SocketClosed(f"{url} cannot be reached: {error or type(error).__name__}") from error
        return _WebSocket(connection)

    async def close(self) -> None:
        await self._session.close()


class _WebSocket(AbstractSocket):
    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        try:
            await self._connection.send_str(text)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise SocketClosed(f"sending failed: {error}") from error

    async def receive(self, timeout_s: float) -> str | bytes:
        try:
            async with asyncio.timeout(timeout_s):
                message = await self._connection.receive()
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise SocketClosed(f"receiving failed: {error}") from error
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        raise SocketClosed(
            f"the venue closed the connection ({message.data or 'no code'} {message.extra or ''})".strip()
        )

    async def close(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._connection.close()
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
