"""Secrets in texts: whatever is known to be one is replaced before anything is logged, shown or sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

MASK: Final = "***"
LEAST_LENGTH: Final = 4
"""Shorter secrets would blot out ordinary words."""


class Masker:
    """Replaces secrets wherever they stand, in nested values too."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: a secret that holds another one must not leave its rest behind.
        self._secrets = sorted({one for one in secrets if len(one) >= LEAST_LENGTH}, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Masker({len(self._secrets)} secrets)"

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """A value of any kind without secrets: texts, mappings, sequences and what they hold; all else becomes text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(one) for one in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))
