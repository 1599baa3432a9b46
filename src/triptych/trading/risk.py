"""Risk stands before execution: it cuts what is wanted to what the limits leave, and accepts or denies the order.

Cutting comes first, so that a size above a limit trades at the limit instead of not at all. The review of the order
that results holds the same limits once more: it is what stands when anything before it was wrong.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from triptych import domain
from triptych.domain import OrderDenied, SubmitOrder
from triptych.trading.money import MoneyLimits, OthersHeld

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_TOLERANCE = 1e-9


class Config(domain.Config):
    """Limits that openings are cut to. Halts and the rate deny them. What reduces a position is always allowed."""

    max_leverage: float = Field(
        default=1.0,
        gt=0,
        le=125,
        description="Largest sum of absolute notionals, as a multiple of the equity, an order may lead to.",
    )
    max_exposure: float = Field(
        default=1.0,
        gt=0,
        le=125,
        description="Largest absolute notional of one instrument, as a multiple of the equity.",
    )
    exposure_limits: dict[str, Annotated[float, Field(ge=0, le=125)]] = Field(
        default={},
        description="Limits of single instruments in place of max_exposure: {BTCUSDT = 0.5}; 0 forbids to open any.",
    )
    max_net_exposure: float | None = Field(
        default=None,
        gt=0,
        le=125,
        description="Largest notional of longs less shorts, either way, of all instruments together, as a multiple of "
        "the equity: instruments move together. Leaving a position is always allowed, even where it leaves more of the "
        "other side. None = no limit.",
    )
    max_order_quote: float | None = Field(
        default=None, gt=0, description="Largest notional of one opening order, in quote currency. None = no limit."
    )
    max_position_quote: float | None = Field(
        default=None,
        gt=0,
        description="Largest absolute notional of one instrument's position, in quote currency. None = no limit.",
    )
    max_gross_quote: float | None = Field(
        default=None,
        gt=0,
        description="Largest sum of the absolute notionals of all instruments, in quote currency. None = no limit.",
    )
    max_net_quote: float | None = Field(
        default=None,
        gt=0,
        description="Largest notional of longs less shorts, either way, of all instruments together, in quote "
        "currency. None = no limit.",
    )
    max_daily_loss: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description=(
            "Loss since the start of the UTC day, as a fraction of the equity then, at which everything is closed "
            "until the next UTC day. None = no limit."
        ),
    )
    max_drawdown: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Fall of the equity from its peak, as a fraction, at which everything is closed. None = no limit.",
    )
    cool_down_hours: float | None = Field(
        default=None,
        gt=0,
        description="Hours after the drawdown limit at which trading resumes, with a new peak. None = never.",
    )
    max_orders_per_hour: int | None = Field(
        default=None,
        ge=1,
        description="Most opening orders of all instruments together in any 60 minutes. None = no limit.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskState:
    """All that the risk limits remember; equities in quote currency, times in UTC milliseconds.

    `seen_ms` is the newest close whose equity was noted; -1: not known.
    """

    day: int
    day_start_equity: float
    last_equity: float
    peak_equity: float
    day_halted: bool
    drawdown_halt_ms: int | None
    order_times_ms: tuple[int, ...]
    seen_ms: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Aftermath:
    """What an order leads to once it is filled, all in quote currency.

    Attributes:
        price: at which the order is valued.
        position: signed notional of its instrument then.
        equity: of the account; where it is not above zero nothing counts as a share of it.
        others: what the other instruments hold.
    """

    price: float
    position: float
    equity: float
    others: OthersHeld

    def share(self, notional: float) -> float:
        """A notional as a multiple of the equity."""
        return notional / self.equity if self.equity > 0 else 0.0


class RiskManager:
    """Holds the limits against the equity at every close and against every opening order."""

    def __init__(self, config: Config, initial_capital: float) -> None:
        self._config = config
        self._day = -1
        self._day_start = self._last = self._peak = initial_capital
        self._day_halted = False
        self._drawdown_halt_ms: int | None = None
        self._order_times: deque[int] = deque()
        self._watches = config.max_daily_loss is not None or config.max_drawdown is not None
        self._halt_reason, self._seen_ms = "", -1
        self._money = MoneyLimits(
            order=config.max_order_quote, position=config.max_position_quote, gross=config.max_gross_quote,
            net=config.max_net_quote,
        )  # fmt: skip

    def on_equity(self, time_ms: int, equity: float) -> str:
        """Take note of the equity at the close of a candle.

        Returns the reason why everything must be closed now, empty when nothing forbids trading. The candle that closes
        at midnight UTC belongs to the day that ends there.
        """
        if not self._watches:
            return ""
        config = self._config
        day = (time_ms - 1) // DAY_MS
        if day != self._day:
            self._day, self._day_start, self._day_halted = day, self._last, False
        self._last, self._seen_ms = equity, time_ms
        if config.max_drawdown is not None:
            self._watch_drawdown(time_ms, equity, config.max_drawdown)
        if config.max_daily_loss is not None and equity <= self._day_start * (1 - config.max_daily_loss):
            self._day_halted = True
        self._halt_reason = self._reason()
        return self._halt_reason

    def on_missed(self, time_ms: int, equity: float) -> None:
        """Take note of the equity at a close at which nothing was decided; nothing of it where a later one is known."""
        if time_ms > self._seen_ms:
            self.on_equity(time_ms, equity)

    def resume_ms(self, otherwise_ms: int) -> int:
        """The newest close whose equity was noted, UTC ms; -1 where no limit looks at equities. `otherwise_ms` is taken
        for what was remembered by a version that did not note when.
        """
        return -1 if not self._watches else otherwise_ms if self._seen_ms < 0 else self._seen_ms

    def _watch_drawdown(self, time_ms: int, equity: float, limit: float) -> None:
        cool_down = self._config.cool_down_hours
        if self._drawdown_halt_ms is not None:
            if cool_down is None or time_ms < self._drawdown_halt_ms + cool_down * HOUR_MS:
                return
            self._drawdown_halt_ms, self._peak = None, equity
        self._peak = max(self._peak, equity)
        if equity <= self._peak * (1 - limit):
            self._drawdown_halt_ms = time_ms

    def _reason(self) -> str:
        if self._drawdown_halt_ms is not None:
            end = (
                "until the end"
                if self._config.cool_down_hours is None
                else f"for {self._config.cool_down_hours:g} hours"
            )
            return f"halted {end}: the drawdown limit of {self._config.max_drawdown:.1%} was reached"
        if self._day_halted:
            return (
                f"halted until the next UTC day: the daily loss limit of {self._config.max_daily_loss:.1%} was reached"
            )
        return ""

    def review(self, order: SubmitOrder, after: Aftermath) -> OrderDenied | None:
        """None to accept an order, else the denial: it breaks a limit, a halt is on, or there were too many."""
        if order.reduce_only:
            return None
        reason = (
            self._halt_reason
            or self._over_limit(order, after)
            or self._money.broken_by(
                order=float(order.quantity) * after.price, position=after.position, others=after.others,
                sign=order.side.sign,
            )
            or self._too_many(order.time_ms)
        )  # fmt: skip
        if reason:
            return OrderDenied(order_id=order.order_id, symbol=order.symbol, time_ms=order.time_ms, reason=reason)
        if self._config.max_orders_per_hour is not None:
            self._order_times.append(order.time_ms)
        return None

    def within(self, symbol: str, exposure: float) -> tuple[float, str]:
        """The wanted exposure cut to the instrument's own limit, and what the decision's reason has to add."""
        limit, name = self._own_limit(symbol)
        if abs(exposure) <= limit * (1 + _TOLERANCE):
            return exposure, ""
        return math.copysign(limit, exposure), f"; cut from {abs(exposure):.4g} to {limit:.4g} by {name}"

    def cut_to_room(self, exposure: float, *, current: float, equity: float, others: OthersHeld) -> tuple[float, str]:
        """The wanted exposure cut to what all other limits leave, and words for the decision's reason.

        What is held already on the wanted side is never given up for lack of room.

        Args:
            exposure: wanted, signed notional / equity.
            current: held, signed notional / equity.
            equity: above zero, quote currency.
            others: what the other instruments hold.
        """
        config, sign = self._config, math.copysign(1.0, exposure)
        held = abs(current) if exposure * current > 0 else 0.0
        rooms = [(config.max_leverage - others.gross / equity, f"max_leverage {config.max_leverage:g}")]
        if config.max_net_exposure is not None:
            net_room = config.max_net_exposure - sign * others.net / equity
            rooms.append((net_room, f"max_net_exposure {config.max_net_exposure:g}"))
        rooms += [
            (room / equity, name) for room, name in self._money.rooms(held=held * equity, others=others, sign=sign)
        ]
        room, name = min(rooms)
        room = max(room, held)
        if abs(exposure) <= room * (1 + _TOLERANCE):
            return exposure, ""
        return math.copysign(room, exposure), f"; cut from {abs(exposure):.4g} to {room:.4g} by {name}"

    def _own_limit(self, symbol: str) -> tuple[float, str]:
        own = self._config.exposure_limits.get(symbol)
        if own is None:
            return self._config.max_exposure, f"max_exposure {self._config.max_exposure:g}"
        return own, f"the limit of {symbol}, which is {own:g}"

    def _over_limit(self, order: SubmitOrder, after: Aftermath) -> str:
        """Which share of the equity an order breaks; net counts in its own direction, so it may always lessen it."""
        limit, name = self._own_limit(order.symbol)
        own, others = after.share(after.position), after.others
        if abs(own) > limit * (1 + _TOLERANCE):
            return f"exposure {abs(own):.2f} is above {name}"
        most, net = self._config.max_net_exposure, (after.share(others.net) + own) * order.side.sign
        if most is not None and net > most * (1 + _TOLERANCE):
            return f"net exposure {net:.2f} is above max_net_exposure {most:g}"
        gross = after.share(others.gross) + abs(own)
        if gross > self._config.max_leverage * (1 + _TOLERANCE):
            return f"leverage {gross:.2f} is above max_leverage {self._config.max_leverage:g}"
        return ""

    def _too_many(self, time_ms: int) -> str:
        limit = self._config.max_orders_per_hour
        if limit is None:
            return ""
        while self._order_times and self._order_times[0] <= time_ms - HOUR_MS:
            self._order_times.popleft()
        return f"{limit} opening orders in the last hour" if len(self._order_times) >= limit else ""

    def state(self) -> RiskState:
        """All there is to remember, for the journal."""
        return RiskState(
            day=self._day,
            day_start_equity=self._day_start,
            last_equity=self._last,
            peak_equity=self._peak,
            day_halted=self._day_halted,
            drawdown_halt_ms=self._drawdown_halt_ms,
            order_times_ms=tuple(self._order_times),
            seen_ms=self._seen_ms,
        )

    def restore(self, state: RiskState) -> None:
        """Become the manager that `state` was taken from."""
        self._day, self._day_start, self._last = state.day, state.day_start_equity, state.last_equity
        self._peak, self._day_halted = state.peak_equity, state.day_halted
        self._drawdown_halt_ms, self._seen_ms = state.drawdown_halt_ms, state.seen_ms
        self._order_times = deque(state.order_times_ms)
        self._halt_reason = self._reason()
