"""Whether a request or a login is signed as Bybit demands, and in time."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.signing import sign
from triptych.exchanges.simulated.server.refusal import Refusal

AHEAD_MS: Final = 1000


def check_request(headers: Mapping[str, str], payload: str, keys: Mapping[str, str], now_ms: int) -> None:
    """Check a signed REST request. Raises Refusal with the venue's code."""
    key = headers.get("X-BAPI-API-KEY", "")
    secret = keys.get(key)
    if secret is None:
        raise Refusal(10003, "API key is invalid.")
    stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "5000")
    expected = sign(Credentials(key=key, secret=secret), stamp + key + window + payload)
    if not hmac.compare_digest(expected, headers.get("X-BAPI-SIGN", "")):
        raise Refusal(10004, "error sign! please check your signature generation algorithm.")
    if not stamp.isdigit() or not window.isdigit() or not now_ms - int(window) <= int(stamp) < now_ms + AHEAD_MS:
        raise Refusal(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]",
        )


def check_login(arguments: object, keys: Mapping[str, str], now_ms: int) -> None:
    """Check the arguments of `auth` on a stream. Raises Refusal."""
    if not isinstance(arguments, list) or len(arguments) != 3:
        raise Refusal(10001, "Params Error")
    key, expires, signature = (str(one) for one in arguments)
    if key not in keys:
        raise Refusal(10003, "API key is invalid.")
    expected = sign(Credentials(key=key, secret=keys[key]), f"GET/realtime{expires}")
    if not hmac.compare_digest(expected, signature):
        raise Refusal(10004, "error sign! please check your signature generation algorithm.")
    if not expires.isdigit() or int(expires) <= now_ms:
        raise Refusal(10005, "Params Error: the login has expired")
