"""Client order ids: a pure function of what the order is for, so that a restart asks for the same order again."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from triptych.domain.errors import OrderError

Leg = Literal["open", "close"]

MAXIMUM_LENGTH = 36
MAXIMUM_ATTEMPT = 9999
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class OrderIds:
    """Ids of one strategy in one instrument.

    An id reads `BTCUSDT-c195b813c7-loyw3v28-o0`: the first nine letters and digits of the symbol, a hash of strategy
    name and full symbol (40 bits), the candle's close time in base 36, the leg (o opens, c closes) and the attempt.
    At most 36 characters, letters, digits and dashes only, as venues demand.
    """

    def __init__(self, strategy: str, symbol: str) -> None:
        digest = hashlib.blake2b(f"{strategy}\0{symbol}".encode(), digest_size=5).hexdigest()
        self._prefix = f"{re.sub('[^A-Za-z0-9]', '', symbol)[:9]}-{digest}"

    def make(self, close_time_ms: int, leg: Leg, attempt: int = 0) -> str:
        """The id of one order. Raises OrderError for a time or an attempt that does not fit."""
        if not 0 <= close_time_ms < 36**9 or not 0 <= attempt <= MAXIMUM_ATTEMPT:
            raise OrderError(f"No order id for close time {close_time_ms} and attempt {attempt}.")
        return f"{self._prefix}-{_base36(close_time_ms)}-{leg[0]}{attempt}"


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
