"""A TCP proxy that can do what networks do to connections: pass, swallow, reset, refuse."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Between a client and `target`, a port of this machine.

    Attributes:
        port: where it listens.
        swallows: present and new connections stay open, and nothing passes in either direction any more.
        refuses: new connections are reset at once.
    """

    def __init__(self, target):
        self.swallows = self.refuses = False
        self._target, self._writers, self._tasks = target, set(), set()

    async def _serve(self, reader, writer):
        if self.refuses:
            _reset(writer)
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        tasks = [asyncio.create_task(self._pass(reader, back)), asyncio.create_task(self._pass(there, writer))]
        self._tasks.update(tasks)
        await asyncio.wait(tasks)
        self._writers -= {writer, back}
        for one in (writer, back):
            one.close()

    async def _pass(self, reader, writer):
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self.swallows:
                    writer.write(data)
                    await writer.drain()
        if self.swallows:
            await asyncio.sleep(3600)
        writer.close()

    def reset(self):
        """Every present connection ends by RST."""
        for writer in list(self._writers):
            _reset(writer)

    @asynccontextmanager
    async def __call__(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.close()


def _reset(writer):
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
