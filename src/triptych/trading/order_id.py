"""Client order ids: a pure function of what the order is for, so that a restart asks for the same order again."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from triptych.domain.errors import OrderError

Leg = Literal["open", "close"]

MAXIMUM_LENGTH = 36
MAXIMUM_ATTEMPT = 9999
MAXIMUM_TOKEN = 36**4 - 1
_OPENS = re.compile(r"[A-Za-z0-9]{1,8}_([0-9a-z]{1,4})-[0-9a-f]{10}-[0-9a-z]{1,9}-o[0-9]{1,4}")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class OrderIds:
    """Ids of one strategy in one instrument.

    An id reads `BTCUSDT-c195b813c7-loyw3v28-o0`: the first nine letters and digits of the symbol, a hash of strategy
    name and full symbol (40 bits), the candle's close time in base 36, the leg (o opens, c closes) and the attempt.
    At most 36 characters, letters, digits, dashes and underscores only, as venues demand.

    Live, the token of the writer's lease stands behind the symbol, `BTCUSDT_1z-...`, so that an order tells which
    process has sent it; what follows the first dash is the same whoever sends it.
    """

    def __init__(self, strategy: str, symbol: str, token: int = 0) -> None:
        """Ids of `strategy` in `symbol`; `token` above 0 is that of the writer's lease.

        Raises OrderError for a token that does not fit.
        """
        if not 0 <= token <= MAXIMUM_TOKEN:
            raise OrderError(f"No order ids for the token {token}.", remedy="Start with a new journal.")
        digest = hashlib.blake2b(f"{strategy}\0{symbol}".encode(), digest_size=5).hexdigest()
        ending = f"_{_base36(token)}" if token else ""
        self._prefix = f"{re.sub('[^A-Za-z0-9]', '', symbol)[: 9 - len(ending)]}{ending}-{digest}"

    def is_ours(self, order_id: str) -> bool:
        """Whether an id was made for this strategy and symbol, by whatever process."""
        return order_id.partition("-")[2].startswith(self._prefix.partition("-")[2] + "-")

    def make(self, close_time_ms: int, leg: Leg, attempt: int = 0) -> str:
        """The id of one order. Raises OrderError for a time or an attempt that does not fit."""
        if not 0 <= close_time_ms < 36**9 or not 0 <= attempt <= MAXIMUM_ATTEMPT:
            raise OrderError(f"No order id for close time {close_time_ms} and attempt {attempt}.")
        return f"{self._prefix}-{_base36(close_time_ms)}-{leg[0]}{attempt}"


def opener_token(order_id: str) -> int | None:
    """The token of the session that opens something by this order; None for a close, and for any other id."""
    found = _OPENS.fullmatch(order_id)
    return None if found is None else int(found[1], 36)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
