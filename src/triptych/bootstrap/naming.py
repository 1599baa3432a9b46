"""Errors that say which of several parts they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triptych.domain.errors import TriptychError


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Put before the message of every error inside what it is about, such as "Member 'own'"; kind and remedy stay."""
    try:
        yield
    except TriptychError as error:
        raise type(error)(f"{what}: {error.message}", remedy=error.remedy) from error
