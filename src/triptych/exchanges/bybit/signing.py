"""Signatures of requests and of the login on the private stream."""

from __future__ import annotations

import base64
import hashlib
import hmac

from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.credentials import Credentials


def sign(credentials: Credentials, text: str) -> str:
    """HMAC-SHA256 in hexadecimal; RSA-SHA256 (PKCS #1 v1.5) in base64 where the key is one of RSA.

    Raises RecipeError when the private key cannot be used.
    """
    if credentials.is_rsa:
        return _rsa(credentials.secret, text)
    return hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def request_headers(credentials: Credentials, *, time_ms: int, window_ms: int, payload: str) -> dict[str, str]:
    """Headers of a signed request. `payload` is the exact query string (GET) or the exact JSON body (POST)."""
    stamp, window = str(time_ms), str(window_ms)
    return {
        "X-BAPI-API-KEY": credentials.key,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": sign(credentials, stamp + credentials.key + window + payload),
        "X-BAPI-SIGN-TYPE": "2",
    }


def login_arguments(credentials: Credentials, *, expires_ms: int) -> list[str | int]:
    """Arguments of `auth` on a stream."""
    return [credentials.key, expires_ms, sign(credentials, f"GET/realtime{expires_ms}")]


def _rsa(pem: str, text: str) -> str:
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        raise RecipeError(
            "RSA keys need the library cryptography.", remedy="Run: pip install 'triptych[rsa]'"
        ) from error
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):  # its text may quote the key
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise RecipeError(
            "The secret begins like a private key but is no unencrypted RSA key.",
            remedy="Give the private key in PEM form, whole.",
        ) from None
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
