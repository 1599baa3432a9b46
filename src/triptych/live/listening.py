"""How the servers of a session begin to listen."""

from __future__ import annotations

from aiohttp import web

from triptych.domain.errors import StorageError


async def listen(app: web.Application, host: str, port: int, *, what: str) -> tuple[web.AppRunner, int]:
    """Serve `app` until the runner is cleaned up; port 0 takes a free one.

    Returns the runner and the port. Raises StorageError, which begins with `what`, when the address is taken.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise StorageError(
            f"{what} cannot be served on {host}:{port}: {error.strerror or error}.",
            remedy="Choose another port, or stop the process that listens there.",
        ) from error
    return runner, int(runner.addresses[0][1])
