"""Metrics and readiness of a session or a recording, served where machines read them."""

from __future__ import annotations

from triptych.bootstrap.telling import Tell
from triptych.live.access import METRICS_VARIABLE, read_token
from triptych.live.monitoring import Metrics
from triptych.live.monitoring.server import MetricsServer, Reasons


async def serve_metrics(metrics: Metrics, reasons: Reasons, at: tuple[str, int] | None, tell: Tell) -> MetricsServer:
    """A server of `metrics`, to be stopped at the end; it listens at `at` (host and port), or nowhere where that is
    None. The token comes from TRIPTYCH_METRICS_TOKEN; `tell` is told the address.

    Raises RecipeError where others can reach the address and there is no token, StorageError when it is taken.
    """
    server = MetricsServer(metrics, reasons, token=read_token(variable=METRICS_VARIABLE))
    if at is not None:
        port = await server.start(*at)
        tell(f"Metrics: http://{at[0]}:{port}/metrics, readiness: /readyz.")
    return server
