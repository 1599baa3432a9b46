"""What a venue may change while its clients trade: rules, status and end of an instrument, how positions are held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import Field

from triptych import domain
from triptych.domain import Instrument
from triptych.exchanges.simulated.server.refusal import Refusal

Status = Literal["Trading", "PreLaunch", "Settling", "Delivering", "Closed"]
_NAMES: Final = {
    "tickSize": "price_step", "qtyStep": "quantity_step", "minOrderQty": "minimum_quantity",
    "minNotionalValue": "minimum_notional", "maxOrderQty": "maximum_quantity",
    "maxMktOrderQty": "maximum_market_quantity", "maxLeverage": "maximum_leverage",
}  # fmt: skip


class Change(domain.Config):
    """What changes of one instrument; what is left out stays as it is."""

    symbol: str = Field(description="The instrument.")
    status: Status | None = Field(default=None, description="The venue's word for what may be done with it.")
    is_listed: bool | None = Field(default=None, description="Whether the venue speaks of it at all.")
    settle_coin: str | None = Field(default=None, description="Coin in which it is settled.")
    delivery_ms: int | None = Field(
        default=None, ge=0, description="When it ends, UTC milliseconds of the machine's clock; 0: never."
    )
    rules: Mapping[str, str] = Field(
        default={}, description=f"New values, as text, of {', '.join(_NAMES)}; each under the venue's own name."
    )

    def revised(self, instrument: Instrument) -> Instrument:
        """The instrument with its new rules. Raises ValueError for a rule that there is none, ArithmeticError for a
        value that is no number, OrderError for one that makes no sense.
        """
        if unknown := [name for name in self.rules if name not in _NAMES]:
            raise ValueError(f"unknown rules {', '.join(unknown)}; known are {', '.join(_NAMES)}")
        changed: dict[str, Any] = {_NAMES[name]: Decimal(value) for name, value in self.rules.items()}
        return replace(instrument, **changed)


@dataclass(kw_only=True, slots=True)
class Shelf:
    """How instruments are listed beside their rules.

    Attributes:
        is_hedged: whether the account holds long and short apart, so that orders must name their side.
    """

    is_hedged: bool = False
    _rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    _hidden: set[str] = field(default_factory=set)

    def change(self, asked: Change) -> None:
        """From now on."""
        row = self._rows.setdefault(asked.symbol, {})
        if asked.status is not None:
            row["status"] = asked.status
        if asked.settle_coin is not None:
            row["settleCoin"] = asked.settle_coin
        if asked.delivery_ms is not None:
            row["deliveryTime"] = str(asked.delivery_ms)
        if asked.is_listed is not None:
            (self._hidden.discard if asked.is_listed else self._hidden.add)(asked.symbol)

    def listed(self, rows: Mapping[str, dict[str, Any]], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Of the rows by symbol those that were asked for, as they are listed now: without a symbol or a status only
        what is traded.
        """
        found = {symbol: row | self._rows.get(symbol, {}) for symbol, row in rows.items() if symbol not in self._hidden}
        symbol, status = asked.get("symbol"), asked.get("status")
        if symbol:
            found = {symbol: found[symbol]} if symbol in found else {}
        elif not status:
            status = "Trading"
        return [row for row in found.values() if status in (None, "", row["status"])]

    def check(self, symbol: str, body: Mapping[str, Any]) -> None:
        """Raise Refusal where no order is taken: the instrument is not traded, or the order names no side."""
        status = self._rows.get(symbol, {}).get("status", "Trading")
        if status != "Trading" or symbol in self._hidden:
            raise Refusal(110074, f"This contract is not live: {symbol} is {status}")
        if self.is_hedged or body.get("positionIdx") not in (None, 0, "0"):
            raise Refusal(10001, "position idx not match position mode")

    def sides(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """A position as it is listed: one row, or in hedge mode one for each side."""
        if not self.is_hedged:
            return [row]
        flat = row | {"size": "0", "side": "", "positionValue": "0", "stopLoss": "", "takeProfit": ""}
        return [
            (row if row["side"] == side else flat) | {"positionIdx": index} for index, side in ((1, "Buy"), (2, "Sell"))
        ]
