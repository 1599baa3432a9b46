"""Waiting that a kill cuts short: for models, questions and orders on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class CutShort(Exception):
    """What was waited for was given up."""


class Cuttable:
    """One piece of work at a time; the caller sees to that."""

    def __init__(self) -> None:
        self._waiting: asyncio.Task[Any] | None = None
        self._is_cut = False

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work. Raises CutShort when `cut` was called meanwhile, whether or not the work ended all the same."""
        task = asyncio.create_task(work)
        self._waiting = task
        try:
            found = await task
        except asyncio.CancelledError:
            if not self._is_cut:
                raise
            raise CutShort from None
        finally:
            self._waiting, is_cut, self._is_cut = None, self._is_cut, False
        if is_cut:
            raise CutShort
        return found

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to cut."""
        return self._waiting is not None

    def cut(self) -> None:
        """Give up what is waited for, if anything is."""
        if self._waiting is not None:
            self._is_cut = True
            self._waiting.cancel()
