"""Keys: read from the environment or a file of one's own, never shown."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triptych.domain.errors import RecipeError

KEY_VARIABLE = "BYBIT_API_KEY"
SECRET_VARIABLE = "BYBIT_API_SECRET"
"""The secret of an HMAC key, or the private key (PEM) of an RSA key."""
FILE_VARIABLE = "BYBIT_KEY_FILE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """An API key. Neither `repr` nor `str` shows more than the first letters of the key, and nothing of the secret."""

    key: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.key or not self.secret:
            raise RecipeError("The API key or its secret is empty.", remedy=_REMEDY)

    def __repr__(self) -> str:
        return f"Credentials(key='{self.key[:3]}…')"

    __str__ = __repr__

    @property
    def is_rsa(self) -> bool:
        """Whether the secret is a private key in PEM form rather than a shared secret."""
        return self.secret.lstrip().startswith("-----BEGIN")

    def mask(self, text: str) -> str:
        """The text with every occurrence of key and secret replaced."""
        return text.replace(self.secret, "***").replace(self.key, f"{self.key[:3]}…")


_REMEDY = (
    f"Set {KEY_VARIABLE} and {SECRET_VARIABLE}, or {FILE_VARIABLE} to a TOML file with key = '...' and secret = '...'."
)


def read_credentials(environment: Mapping[str, str] | None = None, path: Path | None = None) -> Credentials:
    """The key from `path`, else from the variables, else from the file that BYBIT_KEY_FILE names.

    Raises RecipeError when there is none, or when others on the machine may read the file.
    """
    variables = os.environ if environment is None else environment
    if path is None and variables.get(KEY_VARIABLE) and variables.get(SECRET_VARIABLE):
        return Credentials(key=variables[KEY_VARIABLE].strip(), secret=variables[SECRET_VARIABLE].strip())
    if path is None and variables.get(FILE_VARIABLE):
        path = Path(variables[FILE_VARIABLE])
    if path is None:
        raise RecipeError("There is no API key for Bybit.", remedy=_REMEDY)
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise RecipeError(f"Others may read the key file {path}.", remedy=f"Run: chmod 600 {path}")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"The key file {path} cannot be read: {error.strerror}.", remedy=_REMEDY) from error
    except ValueError:  # its text may hold the secret, so it is not quoted
        raise RecipeError(f"The key file {path} is no TOML file.", remedy=_REMEDY) from None
    return Credentials(key=str(content.get("key", "")).strip(), secret=str(content.get("secret", "")).strip())
