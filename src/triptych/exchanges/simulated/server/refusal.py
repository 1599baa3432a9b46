"""What the venue answers instead of doing it; also where Bybit would do it and the simulated venue cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PARAMETERS: Final = 10001
"""Bybit's code for parameters that it does not take."""
_ABSENT: Final = (None, "", "0", 0, "UNKNOWN", False, "false")
_UNSERVED: Final = ("triggerPrice", "trailingStop", "activePrice", "tpLimitPrice", "slLimitPrice", "closeOnTrigger")
_SERVED: Final[Mapping[str, tuple[str, ...]]] = {
    "orderFilter": ("Order",),
    "tpslMode": ("Full",),
    "tpOrderType": ("Market",),
    "slOrderType": ("Market",),
}
_TIMES_IN_FORCE: Final[Mapping[str, tuple[str, ...]]] = {"Market": ("GTC", "IOC"), "Limit": ("GTC",)}


class Refusal(Exception):
    """A return code with its words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def refuse_unserved(body: Mapping[str, Any]) -> None:
    """Refuse what would be filled in another way than it is meant: conditional, trailing and partial stops, FOK,
    PostOnly, and limit orders that are IOC. Raises Refusal.
    """
    for name in _UNSERVED:
        if body.get(name) not in _ABSENT:
            raise Refusal(PARAMETERS, f"params error: {name} is not served by this simulated exchange")
    served = {**_SERVED, "timeInForce": _TIMES_IN_FORCE.get(str(body.get("orderType")), ("GTC",))}
    for name, known in served.items():
        if body.get(name) not in (*_ABSENT, *known):
            raise Refusal(PARAMETERS, f"params error: {name} {body[name]} is not served by this simulated exchange")
