"""Who may look and who may act: one token, compared in constant time, and addresses that name this machine.

A server on the loopback address is out of reach of other machines, but not of web pages that this machine's browser
opens: such a page can let a name of its own point to 127.0.0.1. So the name a request was sent to is looked at as well.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from triptych.domain.errors import RecipeError

TOKEN_VARIABLE: Final = "TRIPTYCH_TOKEN"
"""Of whoever may look at everything and turn the switch."""
METRICS_VARIABLE: Final = "TRIPTYCH_METRICS_TOKEN"
"""Of whoever may read the metrics and nothing else: a monitoring system must not be able to close positions."""
LEAST_LENGTH: Final = 16


def _remedy(variable: str) -> str:
    return f"Set {variable} to {LEAST_LENGTH} characters or more, or {variable}_FILE to a file that holds it."


def is_loopback(host: str) -> bool:
    """Whether a host, as one listens on it or as a URL names it, is this machine and only this machine."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def generate_token() -> str:
    """A token that nobody guesses: 144 random bits, 24 letters."""
    return secrets.token_urlsafe(18)


def read_token(environment: Mapping[str, str] | None = None, *, variable: str = TOKEN_VARIABLE) -> str | None:
    """The token from a variable such as TRIPTYCH_TOKEN, else from the file that TRIPTYCH_TOKEN_FILE names; None when
    neither is set.

    Raises RecipeError for a token that is too short, and for a file that cannot be read or that others may read.
    """
    variables = os.environ if environment is None else environment
    if variables.get(variable):
        return _checked(variables[variable].strip(), variable)
    if not variables.get(f"{variable}_FILE"):
        return None
    path = Path(variables[f"{variable}_FILE"])
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise RecipeError(f"Others may read the token file {path}.", remedy=f"Run: chmod 600 {path}")
        return _checked(path.read_text(encoding="utf-8").strip(), variable)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The token file {path} cannot be read.", remedy=_remedy(variable)) from error


def _checked(token: str, variable: str) -> str:
    if len(token) < LEAST_LENGTH:
        raise RecipeError(f"The token has fewer than {LEAST_LENGTH} characters.", remedy=_remedy(variable))
    return token


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Holds requests against the token and the address one listens on.

    Attributes:
        host: listened on.
        token: None where nothing is asked for; only on the loopback address.
        variable: of the environment in which the token is looked for, for people.
    """

    host: str
    token: str | None = field(repr=False)
    variable: str = TOKEN_VARIABLE

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise RecipeError(
                f"{self.host} can be reached from other machines, and there is no token.",
                remedy=_remedy(self.variable),
            )

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long for a wrong one as for the right one. False where there is none."""
        if self.token is None:
            return False
        # Of equal length, whatever was given: a comparison of texts would end at once where lengths differ.
        return hmac.compare_digest(_digest(token), _digest(self.token))

    def names_us(self, host_header: str) -> bool:
        """Whether a request was sent to a name that is ours: on the loopback address only its own names are."""
        name = urlsplit(f"//{host_header}").hostname or ""
        return is_loopback(name) if is_loopback(self.host) else bool(name)

    @staticmethod
    def is_same_origin(origin: str, host_header: str) -> bool:
        """Whether a browser's page comes from where its request goes; requests without an origin are no page's."""
        return not origin or urlsplit(origin).netloc == host_header


def bearer(header: str) -> str:
    """The token of an Authorization header; empty when there is none."""
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
