"""The last gate before the wire: limits in plain money and prices that hold whatever the engine believes.

The engine's own risk limits are shares of an equity it computes itself. These are not: they hold back an order that a
wrong equity, a wrong price or a loop gone wild would send. An order that only reduces a position passes unless trading
was killed by hand and everything is closed already; it is still held against the price band.

A market order carries no price that could be held against the band, only those of its stop and target. What it is
filled at is bounded by how late it may leave (`stale_after_seconds`, `entry_within_seconds`) and by the venue, which
makes it a limit 3 to 5 % from the price of that moment and cancels the rest. It is not turned into a limit at the band:
venues refuse limits beyond a narrower range of their own, and a close that is refused is worse than one that slips.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pydantic import Field

from triptych import domain
from triptych.domain import SubmitOrder
from triptych.live.journal import Switch
from triptych.trading.money import MoneyLimits, OthersHeld

RATE_WINDOW_MS: Final = 60_000


class Config(domain.Config):
    """Limits of the last gate. Real money is traded only when the first two are set."""

    max_order_quote: float | None = Field(
        default=None, gt=0, description="Largest notional of one opening order, in quote currency. Empty: no limit."
    )
    max_position_quote: float | None = Field(
        default=None,
        gt=0,
        description="Largest absolute notional of one instrument's position, in quote currency. Empty: no limit.",
    )
    max_gross_quote: float | None = Field(
        default=None,
        gt=0,
        description="Largest sum of the absolute notionals of all instruments, in quote currency. Empty: no limit.",
    )
    max_net_quote: float | None = Field(
        default=None,
        gt=0,
        description="Largest notional of longs less shorts, either way, of all instruments together, in quote "
        "currency. Empty: no limit.",
    )
    price_band: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Farthest a limit price, stop or target may lie on the wrong side of the last price, a fraction. "
        "Of a market order only stop and target are held against it: its own price is bounded by how late it may "
        "leave and by the venue's cap. For entries that never pay more than a price set execution.entry to limit in "
        "the recipe.",
    )
    max_orders_per_minute: int = Field(
        default=20,
        ge=1,
        description="Most opening orders of all instruments together in any 60 seconds, those of "
        "earlier processes on the same journal included.",
    )
    stale_after_seconds: float = Field(
        default=90.0,
        gt=0,
        description="Seconds since the newest candle of an instrument closed at which nothing is opened any more.",
    )
    entry_within_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Seconds after the close that was decided on within which an opening order must leave. Empty: the "
        "smaller of gate.stale_after_seconds and gate.entry_within_share of the candle's length.",
    )
    entry_within_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Share of the candle's length for gate.entry_within_seconds where that is empty.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What is known when an order asks to leave.

    Attributes:
        now_ms: UTC milliseconds.
        last_price: newest price of the instrument, quote currency; None when there is none.
        data_age_s: since the newest candle of the instrument closed.
        position: signed quantity that the venue's fills make, orders under way included, as well as those of this
            decision that have passed.
        others: what the other instruments hold, counted in the same way.
        switch: what the house allows itself.
        has_journal: whether the last append succeeded.
        is_settled: whether venue and journal agree about this instrument.
        is_heard: whether the venue's messages about the account come in.
        late_s: since the close that was decided on, by the market's clock.
        timeframe_s: length of a candle; 0 where the order belongs to none.
    """

    now_ms: int
    last_price: Decimal | None
    data_age_s: float
    position: Decimal
    switch: Switch
    has_journal: bool
    is_settled: bool
    is_heard: bool = True
    late_s: float = 0.0
    timeframe_s: float = 0.0
    others: OthersHeld = field(default_factory=OthersHeld)


class Gate:
    """Holds orders against the limits and counts those it lets through.

    `closing_only`: by symbol, why nothing is opened in an instrument; looked at anew for every order.

    Attributes:
        opens_nothing: why nothing at all is opened; empty while that is not so.
    """

    def __init__(self, config: Config, closing_only: Mapping[str, str] | None = None) -> None:
        self._config, self._closing_only = config, {} if closing_only is None else closing_only
        self.opens_nothing = ""
        self._money = MoneyLimits(
            order=config.max_order_quote, position=config.max_position_quote, gross=config.max_gross_quote,
            net=config.max_net_quote,
        )  # fmt: skip
        self._passed: deque[int] = deque()

    def remember(self, sent_ms: Iterable[int], now_ms: int) -> None:
        """Count opening orders of an earlier process (UTC ms, oldest first): a start is no way around the limit.

        A time that is still to come, because the clock was set back, counts as now.
        """
        self._passed = deque(min(one, now_ms) for one in sent_ms if one > now_ms - RATE_WINDOW_MS)

    def review(self, order: SubmitOrder, now: Circumstances) -> str:
        """Empty when the order may leave, else the reason why not."""
        reason = self._price(order, now)
        if reason or order.reduce_only:
            return reason
        reason = self.opens_nothing or self._closing_only.get(order.symbol, "")
        reason = reason or self._state(now) or self._size(order, now) or self._rate(now.now_ms)
        if not reason:
            self._passed.append(now.now_ms)
        return reason

    def _state(self, now: Circumstances) -> str:
        config = self._config
        if now.switch is not Switch.RUN:
            return f"the switch stands at {now.switch}: nothing is opened"
        if not now.has_journal:
            return "the journal cannot be written: nothing is opened"
        if not now.is_settled:
            return "venue and journal do not agree yet: nothing is opened"
        if not now.is_heard:
            return "the private stream is down: nothing is opened"
        if now.data_age_s > config.stale_after_seconds:
            return f"the newest data is {now.data_age_s:.0f} s old, allowed are {config.stale_after_seconds:g} s"
        limit = config.entry_within_seconds or min(
            config.stale_after_seconds, config.entry_within_share * now.timeframe_s or config.stale_after_seconds
        )
        if now.late_s > limit:
            return f"the candle closed {now.late_s:.1f} s ago, an entry leaves within {limit:g} s"
        return ""

    def _size(self, order: SubmitOrder, now: Circumstances) -> str:
        price = order.limit_price or now.last_price
        if price is None:
            return "there is no price to tell the order's size by"
        after = float((now.position + order.side.sign * order.quantity) * price)
        return self._money.broken_by(
            order=float(order.quantity * price), position=after, others=now.others, sign=order.side.sign
        )

    def _price(self, order: SubmitOrder, now: Circumstances) -> str:
        """A buy must not bid far above the market, a sale not offer far below; protection must lie on its own side."""
        last = now.last_price
        if last is None:
            return ""
        band = Decimal(repr(self._config.price_band)) * last
        sign = order.side.sign
        if order.limit_price is not None and sign * (order.limit_price - last) > band:
            return f"limit price {order.limit_price} is more than {self._config.price_band:.1%} through the last {last}"
        if order.stop_loss is not None and sign * (order.stop_loss - last) > band:
            return f"stop {order.stop_loss} lies on the wrong side of the last {last}"
        if order.take_profit is not None and sign * (last - order.take_profit) > band:
            return f"target {order.take_profit} lies on the wrong side of the last {last}"
        return ""

    def _rate(self, now_ms: int) -> str:
        while self._passed and self._passed[0] <= now_ms - RATE_WINDOW_MS:
            self._passed.popleft()
        limit = self._config.max_orders_per_minute
        return f"{limit} opening orders in the last minute" if len(self._passed) >= limit else ""
