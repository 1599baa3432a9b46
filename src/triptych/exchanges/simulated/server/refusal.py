"""A request that the venue answers with a return code."""

from __future__ import annotations


class Refusal(Exception):
    """Return code and the venue's words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
