"""A small web server for machines: metrics for Prometheus, liveness and readiness for whoever restarts processes.

    /metrics   Prometheus' text format
    /healthz   200 while the process runs
    /readyz    200 while decisions may be taken, else 503 with the reasons

It shows no keys, takes no commands, and listens on the loopback address unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from triptych.domain.errors import RecipeError
from triptych.live.listening import listen
from triptych.live.monitoring.metrics import Metrics

Reasons = Callable[[], Mapping[str, str]]
"""Why no decision may be taken, by topic; empty while all is well."""


class MetricsServer:
    """Serves until it is stopped."""

    def __init__(self, metrics: Metrics, reasons: Reasons) -> None:
        """Serve `metrics`; `reasons` is asked at every look at readiness."""
        self._metrics, self._reasons = metrics, reasons
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port. Raises StorageError when the address is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/healthz", self._is_alive)
        app.router.add_get("/readyz", self._is_ready)
        self._runner, taken = await listen(app, host, port, what="Metrics")
        return taken

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), content_type="text/plain", charset="utf-8")

    async def _is_alive(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _is_ready(self, _request: web.Request) -> web.Response:
        reasons = dict(self._reasons())
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT or PORT alone, which means the loopback address. Raises RecipeError for anything else."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65_535:
        raise RecipeError(f"{text!r} is no address to listen on.", remedy="Write 9000 or 127.0.0.1:9000.")
    return host.strip("[]") or "127.0.0.1", int(port)
