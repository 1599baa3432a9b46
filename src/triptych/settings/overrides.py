"""`--set KEY=VALUE`: keys of a TOML document, changed from the command line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from triptych.domain.errors import RecipeError


def put_overrides(content: dict[str, Any], overrides: Sequence[str]) -> None:
    """Set keys of a TOML document, `key=value` each, in place. Raises RecipeError for what cannot be read."""
    for override in overrides:
        key, value = key_and_value(override)
        put(content, key, toml_value(value))


_PART = r"""\s*"[^"]*"\s*|\s*'[^']*'\s*|[^."'=]+"""
"""Of a dotted key: a word, or anything in quotes."""
_ASSIGNMENT = re.compile(rf"(?P<key>(?:{_PART})(?:\.(?:{_PART}))*)=(?P<value>.*)", re.DOTALL)


def key_and_value(override: str) -> tuple[list[str], str]:
    """The keys and the text of the value. Raises RecipeError for what cannot be read."""
    found = _ASSIGNMENT.fullmatch(override)
    parts = [part.strip() for part in re.findall(_PART, found["key"])] if found else []
    if found is None or not all(parts):
        raise RecipeError(f"Cannot read --set {override!r}.", remedy="Write it as key=value: training.epochs=3.")
    return [part[1:-1] if part[0] in "\"'" else part for part in parts], found["value"].strip()


def toml_value(text: str) -> Any:
    """A value as TOML reads it; what is not TOML, or more than one value, is text."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set one key, in place. Raises RecipeError where a value stands in its way."""
    *parents, last = path
    for part in parents:
        child = content.setdefault(part, {})
        if not isinstance(child, dict):
            raise RecipeError(
                f"Cannot set {'.'.join(path)!r}: {part!r} is a value, not a section.",
                remedy="`triptych recipe show` prints every key with its meaning.",
            )
        content = child
    content[last] = value
