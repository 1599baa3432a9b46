"""A small web server for machines: metrics for Prometheus, liveness and readiness for whoever restarts processes.

    /metrics   Prometheus' text format
    /healthz   200 while the process runs
    /readyz    200 while decisions may be taken, else 503 with the reasons

It shows no keys, takes no commands, and listens on the loopback address unless told otherwise. Metrics and reasons tell
what is traded, the equity and the exposure: beyond the loopback address they take a token, which can do nothing else.
Without it everybody hears whether the process lives and is ready, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from triptych.domain.errors import RecipeError
from triptych.live.access import METRICS_VARIABLE, Access, bearer
from triptych.live.listening import listen
from triptych.live.monitoring.metrics import Metrics

Reasons = Callable[[], Mapping[str, str]]
"""Why no decision may be taken, by topic; empty while all is well."""


class MetricsServer:
    """Serves until it is stopped."""

    def __init__(self, metrics: Metrics, reasons: Reasons, *, token: str | None = None) -> None:
        """Serve `metrics`; `reasons` is asked at every look at readiness, `token` for whatever is not for everybody."""
        self._metrics, self._reasons, self._token = metrics, reasons, token
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port.

        Raises RecipeError without a token where others can reach the address, StorageError when it is taken.
        """
        app, self._access = web.Application(), access_of(host, self._token)
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

    def _admits(self, request: web.Request) -> bool:
        """With a token whoever knows it; without one whoever calls this machine by its own name, see `live.access`."""
        if self._token is None:
            return self._access.names_us(request.host)
        return self._access.knows(bearer(request.headers.get("Authorization", "")))

    async def _show_metrics(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            if self._token is None:
                return web.json_response({"error": "This is not the host that was asked for."}, status=421)
            refused = {"error": "The token is missing or wrong."}
            return web.json_response(refused, status=401, headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=self._metrics.text(), content_type="text/plain", charset="utf-8")

    async def _is_alive(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _is_ready(self, request: web.Request) -> web.Response:
        reasons = dict(self._reasons())
        told = {"reasons": reasons} if self._admits(request) else {}
        return web.json_response({"ready": not reasons, **told}, status=503 if reasons else 200)


def access_of(host: str, token: str | None) -> Access:
    """Who may read metrics at an address. Raises RecipeError without a token where others can reach it."""
    return Access(host=host, token=token, variable=METRICS_VARIABLE)


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT or PORT alone, which means the loopback address. Raises RecipeError for anything else."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65_535:
        raise RecipeError(f"{text!r} is no address to listen on.", remedy="Write 9000 or 127.0.0.1:9000.")
    return host.strip("[]") or "127.0.0.1", int(port)
