"""Execution: from a wanted exposure to the orders that lead there, with the stops that protect them."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

from pydantic import Field, model_validator

from triptych import domain
from triptych.domain import Instrument, OrderType, Side, SubmitOrder
from triptych.trading.order_id import OrderIds

ZERO = Decimal(0)


class Config(domain.Config):
    """How exposures become orders."""

    entry: Literal["market", "limit"] = Field(
        default="market",
        description="Order type of entries. A limit order lives for one candle. Exits are market orders.",
    )
    limit_offset_bp: float = Field(
        default=0.0, ge=0, le=1000, description="Entry limit: distance from the close to the better side, basis points."
    )
    minimum_trade: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description=(
            "A position on the right side is only adjusted when its exposure differs from the wanted one by at least "
            "this fraction of the equity: against churning. Closing and turning are never held back."
        ),
    )
    protection_unit: Literal["percent", "atr"] = Field(
        default="percent",
        description=(
            "Unit of stop_loss, trailing_stop and take_profit: percent of the price, or multiples of the average true "
            "range of the last `atr_length` closed candles, both as they are when the entry is decided."
        ),
    )
    stop_loss: float | None = Field(
        default=None,
        gt=0,
        description="Distance of the stop in protection units; it travels in the entry order. None = no stop.",
    )
    trailing_stop: float | None = Field(
        default=None,
        gt=0,
        description=(
            "Distance in protection units by which the stop follows the best price since the entry. It begins so far "
            "from the entry, or at stop_loss where that is closer, and is moved at each close. None = it stays."
        ),
    )
    take_profit: float | None = Field(
        default=None,
        gt=0,
        description="Distance of the target in protection units; it travels in the entry order. None = no target.",
    )
    atr_length: int = Field(default=14, ge=1, le=500, description="Candles in the average true range.")
    after_exit: Literal["new_signal", "at_once"] = Field(
        default="new_signal",
        description=(
            "After a stop, a target or a liquidation the same side is entered again only once the strategy has wanted "
            "something else in between (new_signal), or as soon as it wants it (at_once)."
        ),
    )
    without_prediction: Literal["flat", "hold"] = Field(
        default="flat",
        description="What to do when a model gives no usable prediction: close the position, or hold on to it.",
    )

    @model_validator(mode="after")
    def _stop_is_within_the_price(self) -> Config:
        for name, distance in (("stop_loss", self.stop_loss), ("trailing_stop", self.trailing_stop)):
            if self.protection_unit == "percent" and distance is not None and distance >= 100:
                raise ValueError(f"a {name} of {distance:g} percent lies at or below a price of zero")
        return self

    @property
    def nearest_stop(self) -> float | None:
        """Distance of the stop that travels in the entry order, in protection units."""
        distances = [distance for distance in (self.stop_loss, self.trailing_stop) if distance is not None]
        return min(distances, default=None)


MOST_SLICES: Final = 20
"""Orders into which one close is sliced at once; the rest follows with the next decision."""


class Executor:
    """Plans the orders of one instrument. Pure: all it knows of the account comes in through the arguments."""

    def __init__(self, config: Config, instrument: Instrument, ids: OrderIds) -> None:
        self._config = config
        self._instrument = instrument
        self._ids = ids
        self._band = config.minimum_trade
        protects = config.nearest_stop is not None or config.take_profit is not None
        self.needs_average_true_range = protects and config.protection_unit == "atr"

    def has_sent(self, order_id: str) -> bool:
        """Whether an order's id was made here, by this process or one before it."""
        return self._ids.is_ours(order_id)

    def revise(self, instrument: Instrument) -> None:
        """Plan by these rules from now on."""
        self._instrument = instrument

    def cap_orders(self, most: Decimal) -> None:
        """From now on no market order asks for more: the venue takes less than it has announced."""
        least = max(self._instrument.minimum_quantity, self._instrument.quantity_step)
        self._instrument = replace(
            self._instrument, maximum_market_quantity=max(self._instrument.round_quantity(most), least)
        )

    def is_settled(self, exposure: float, current: float) -> bool:
        """Whether the current exposure may stay as it is: flat as wanted, or on the wanted side within the band."""
        if exposure == 0.0 or current == 0.0:
            return exposure == current
        return exposure * current > 0 and abs(exposure - current) < self._band

    def plan(
        self,
        *,
        quantity: Decimal,
        exposure: float,
        equity: float,
        price: float,
        average_true_range: float,
        time_ms: int,
        reason: str,
    ) -> tuple[list[SubmitOrder], str]:
        """The orders from a held quantity to a wanted exposure.

        A position that is closed or turned is closed by a reduce-only order, or by several where the venue takes none
        that is large enough; turning sends the new position's order right after it, cut to the venue's largest. An
        order that adds carries no stop or target of its own: those of the entry stay.

        Args:
            quantity: signed quantity held.
            exposure: wanted signed notional / equity.
            equity, price, average_true_range: quote currency, at the close of the candle.
            time_ms: that close.
            reason: goes into the orders.

        Returns:
            Closing orders and at most one opening order, in this order; and a note why something was left out, or "".
        """
        size = abs(exposure) * equity / price if equity > 0 else 0.0
        wanted = self._instrument.round_quantity(size)
        if exposure < 0:
            wanted = -wanted
        side = Side.BUY if exposure > 0 else Side.SELL
        orders: list[SubmitOrder] = []
        if quantity * wanted > 0:
            change = abs(wanted) - abs(quantity)
            change = self._instrument.round_quantity(change)  # what is held may be older than the step
            if change <= 0:
                return (self._closing(quantity, -change, time_ms, reason) if change else []), ""
            opening, protected = change, False
        else:
            if quantity:
                orders = self._closing(quantity, abs(quantity), time_ms, reason)
            opening, protected = abs(wanted), True
        most = self._instrument.largest_order(is_market=self._config.entry != "limit")
        too_large = ""
        if most is not None and opening > most:
            opening, too_large = most, f"the order is cut to {most}, the venue's largest"
        if orders and sum(one.quantity for one in orders) < abs(quantity):
            return orders, "nothing is opened before all is closed"
        too_small = self._too_small(opening, price) if exposure else ""
        if opening and not too_small:
            orders.append(self._opening(side, opening, price, average_true_range, time_ms, reason, protected))
        return orders, too_small or too_large

    def protection(
        self, side: Side, price: float, average_true_range: float
    ) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        """Stop, target and trailing distance of a position opened to this side at a price; None: none is asked for."""
        config = self._config
        return (
            self._level(config.nearest_stop, -side.sign, price, average_true_range),
            self._level(config.take_profit, side.sign, price, average_true_range),
            self._distance(config.trailing_stop, price, average_true_range),
        )

    def _closing(self, held: Decimal, quantity: Decimal, time_ms: int, reason: str) -> list[SubmitOrder]:
        return [
            SubmitOrder(
                order_id=self._ids.make(time_ms, "close", number),
                symbol=self._instrument.symbol,
                side=Side.SELL if held > 0 else Side.BUY,
                quantity=part,
                time_ms=time_ms,
                reduce_only=True,
                reason=reason,
            )
            for number, part in enumerate(self._instrument.slices(quantity)[:MOST_SLICES])
        ]

    def _opening(
        self,
        side: Side,
        quantity: Decimal,
        price: float,
        average_true_range: float,
        time_ms: int,
        reason: str,
        protected: bool,
    ) -> SubmitOrder:
        limit = self._limit_price(side, price) if self._config.entry == "limit" else None
        base = price if limit is None else float(limit)
        stop, target, distance = self.protection(side, base, average_true_range) if protected else (None, None, None)
        return SubmitOrder(
            order_id=self._ids.make(time_ms, "open"),
            symbol=self._instrument.symbol,
            side=side,
            quantity=quantity,
            time_ms=time_ms,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=limit,
            stop_loss=stop,
            take_profit=target,
            trailing_distance=distance,
            reason=reason,
        )

    def _limit_price(self, side: Side, price: float) -> Decimal:
        step = self._instrument.price_step
        aim = Decimal(repr(price * (1 - side.sign * self._config.limit_offset_bp / 10_000)))
        steps = (aim / step).to_integral_value(ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)
        return max(steps, Decimal(1)) * step

    def _level(self, distance: float | None, sign: int, price: float, average_true_range: float) -> Decimal | None:
        """The price `distance` units above (sign 1) or below (-1), at least one step from the price and above zero."""
        if distance is None:
            return None
        step = self._instrument.price_step
        base = Decimal(repr(price))
        rounded = self._instrument.round_price(price + sign * distance * self._unit(price, average_true_range))
        if sign > 0:
            nearest = (base / step).to_integral_value(ROUND_FLOOR) * step + step
            return max(rounded, nearest)
        nearest = (base / step).to_integral_value(ROUND_CEILING) * step - step
        return max(min(rounded, nearest), step)

    def _distance(self, distance: float | None, price: float, average_true_range: float) -> Decimal | None:
        """So many units on the price grid, at least one step."""
        if distance is None:
            return None
        rounded = self._instrument.round_price(distance * self._unit(price, average_true_range))
        return max(rounded, self._instrument.price_step)

    def _unit(self, price: float, average_true_range: float) -> float:
        return average_true_range if self._config.protection_unit == "atr" else price / 100

    def _too_small(self, quantity: Decimal, price: float) -> str:
        rules = self._instrument
        if quantity <= 0 or quantity < rules.minimum_quantity:
            return (
                f"no order: quantity {quantity} is below the minimum {max(rules.minimum_quantity, rules.quantity_step)}"
            )
        notional = quantity * Decimal(repr(price))
        if notional < rules.minimum_notional:
            return f"no order: notional {notional} is below the minimum {rules.minimum_notional}"
        return ""
