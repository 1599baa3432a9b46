"""The webhook of alerts: one POST of JSON an alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from pydantic import SecretStr

from triptych.live.monitoring.alerts import Send

TIMEOUT_S = 10.0


def post_to(address: SecretStr) -> Send:
    """Delivers to this address, which is never shown. What is sent raises when it was not taken (HTTP 400 and above)."""

    async def send(message: Mapping[str, Any]) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(address.get_secret_value(), json=dict(message), allow_redirects=False) as reply,
        ):
            reply.raise_for_status()

    return send
