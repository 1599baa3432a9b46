"""Names of files and folders that survive any symbol."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from triptych.domain.errors import DataError

_RESERVED: Final = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


def to_file_name(name: str) -> str:
    """A symbol or venue as one safe path component: `BTC/USDT:USDT` is `BTC%2FUSDT%3AUSDT`.

    Letters, digits, `_`, `-` and inner dots stay; everything else is percent-encoded as UTF-8, and so is the first
    letter of names that Windows keeps for devices. `from_file_name` reverses it. Raises DataError
    for an empty name.
    """
    if not name:
        raise DataError("A symbol or venue in the store must have a name.", remedy="Say it: `--symbol NAME`.")
    safe = "".join(c if re.fullmatch(r"[A-Za-z0-9_.-]", c) else _encoded(c) for c in name)
    if safe[0] == ".":
        safe = "%2E" + safe[1:]
    if safe[-1] == ".":
        safe = safe[:-1] + "%2E"
    return _encoded(safe[0]) + safe[1:] if _RESERVED.match(safe) else safe


def from_file_name(name: str) -> str:
    """The name that `to_file_name` wrote."""
    return unquote(name)


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
