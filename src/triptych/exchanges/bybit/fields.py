"""Strict reading of the venue's JSON: every error names the message, the field, what was expected and the payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson

from triptych.domain.errors import ProtocolError

Value = TypeVar("Value")
_SHOWN: Final = 400
"""Characters of a payload that an error quotes."""


def decode(text: str | bytes, what: str) -> dict[str, Any]:
    """One JSON object. Raises ProtocolError for anything else."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"{what}: not JSON ({error}): {_shown(text)}.") from error
    if not isinstance(content, dict):
        raise ProtocolError(f"{what}: expected an object, was {_shown(text)}.")
    return content


class Fields:
    """One object of a message, read field by field. The venue writes numbers as text, and absence in four ways:

    a missing key, null, "" and, where zero has no meaning, "0".
    """

    __slots__ = ("_payload", "what")

    def __init__(self, payload: object, what: str) -> None:
        if not isinstance(payload, Mapping):
            raise ProtocolError(f"{what}: expected an object, was {_shown(payload)}.")
        self._payload = payload
        self.what = what

    def error(self, name: str, expected: str) -> ProtocolError:
        """The error for a field that is not what it should be."""
        was = _shown(self._payload[name]) if name in self._payload else "missing"
        return ProtocolError(f"{self.what}: field {name}: expected {expected}, was {was}, in {_shown(self._payload)}.")

    def has(self, name: str) -> bool:
        """Whether the field says anything: it is there, not null and not empty."""
        return self._payload.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """Text that is not empty."""
        value = self._payload.get(name)
        if not isinstance(value, str) or not value:
            raise self.error(name, "text")
        return value

    def text_or_empty(self, name: str) -> str:
        """Text; empty where the field is missing or null."""
        value = self._payload.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.error(name, "text")
        return value

    def decimal(self, name: str) -> Decimal:
        """A finite number."""
        return self._decimal(name)

    def optional_decimal(self, name: str) -> Decimal | None:
        """A finite number, None where the field says nothing."""
        return self._decimal(name) if self.has(name) else None

    def positive(self, name: str) -> Decimal | None:
        """A number above zero; None where the field says nothing or zero, which is how the venue says "not set"."""
        value = self.optional_decimal(name)
        return value if value is not None and value > 0 else None

    def _decimal(self, name: str) -> Decimal:
        value = self._payload.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            try:
                number = Decimal(value)
            except InvalidOperation:
                raise self.error(name, "a decimal number") from None
            if number.is_finite():
                return number
        raise self.error(name, "a decimal number")

    def integer(self, name: str) -> int:
        """A whole number, as a number or as text."""
        value = self._payload.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            try:
                return int(value)
            except ValueError:
                pass
        raise self.error(name, "a whole number")

    def optional_integer(self, name: str) -> int | None:
        """A whole number, None where the field says nothing."""
        return self.integer(name) if self.has(name) else None

    def moment(self, name: str) -> int | None:
        """UTC milliseconds; None where the field says nothing or 0, which is how the venue says "never"."""
        return self.optional_integer(name) or None

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false. `default` stands for a missing field; without one it is an error."""
        value = self._payload.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise self.error(name, "true or false")
        return value

    def choice(self, name: str, meanings: Mapping[str, Value]) -> Value:
        """What one of several words means."""
        value = self._payload.get(name)
        if isinstance(value, str) and value in meanings:
            return meanings[value]
        raise self.error(name, f"one of {', '.join(word or '(empty)' for word in meanings)}")

    def fields(self, name: str, what: str = "") -> Fields:
        """An object inside."""
        return Fields(self._payload.get(name), what or f"{self.what}.{name}")

    def items(self, name: str, what: str = "") -> Iterator[Fields]:
        """The objects of a list inside."""
        for item in self.list(name):
            yield Fields(item, what or f"{self.what}.{name}")

    def list(self, name: str) -> list[Any]:
        """A list."""
        value = self._payload.get(name)
        if not isinstance(value, list):
            raise self.error(name, "a list")
        return value

    def pairs(self, name: str) -> tuple[tuple[Decimal, Decimal], ...]:
        """Pairs of numbers written as text: levels of a book."""
        try:
            return levels(self._payload.get(name))
        except (TypeError, ValueError, InvalidOperation):
            raise self.error(name, "pairs of price and size") from None


def levels(value: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    """Pairs of numbers written as text. Raises TypeError, ValueError or InvalidOperation for anything else."""
    return tuple([(_price(price), Decimal(size)) for price, size in value])


_price = lru_cache(maxsize=1 << 16)(Decimal)
"""Prices of a book come back all the time, sizes do not."""


def _shown(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None
    if text is None:
        text = orjson.dumps(value, default=repr).decode()
    elif not text:
        text = '""'
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
