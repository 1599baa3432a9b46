"""A small venue with round numbers: price step 0.01, quantity step 0.001, hourly candles."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from triptych.domain import Candle, Instrument, OrderType, Side, SubmitOrder, Timeframe
from triptych.exchanges.simulated import Config, SimulatedExchange

HOUR_MS = 3_600_000
FREE = {"maker_fee": 0.0, "taker_fee": 0.0, "half_spread_bp": 0.0, "slippage_bp": 0.0}


@pytest.fixture
def candle() -> Callable[..., Candle]:
    """candle(hour, open, high, low, close): the candle that opens at that hour."""

    def make(
        hour: int, open_: float, high: float, low: float, close: float, *, volume: float = 100.0, symbol: str = "ABC"
    ):
        return Candle(
            symbol=symbol, timeframe=Timeframe(HOUR_MS), open_time_ms=hour * HOUR_MS,
            open=open_, high=high, low=low, close=close, volume=volume,
        )  # fmt: skip

    return make


@pytest.fixture
def order() -> Callable[..., SubmitOrder]:
    """order("buy", "1", hour): an order sent at the end of that hour's candle."""
    numbers = iter(range(1, 1000))

    def make(side: str, quantity: str, hour: int = 0, *, limit: str | None = None, symbol: str = "ABC", **options):
        for name in ("stop_loss", "take_profit"):
            if options.get(name) is not None:
                options[name] = Decimal(options[name])
        return SubmitOrder(
            order_id=f"order-{next(numbers)}", symbol=symbol, side=Side(side), quantity=Decimal(quantity),
            time_ms=(hour + 1) * HOUR_MS, type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=None if limit is None else Decimal(limit), **options,
        )  # fmt: skip

    return make


@pytest.fixture
def venue() -> Callable[..., SimulatedExchange]:
    """venue(taker_fee=0.001): a venue without any costs but those named."""

    def make(capital: str = "10000", symbols: tuple[str, ...] = ("ABC",), rules: dict | None = None, **costs):
        steps = {"price_step": Decimal("0.01"), "quantity_step": Decimal("0.001"), "maximum_leverage": Decimal(10)}
        instruments = [Instrument(symbol=symbol, **{**steps, **(rules or {})}) for symbol in symbols]
        return SimulatedExchange(instruments, Config(**{**FREE, **costs}), Decimal(capital))

    return make
