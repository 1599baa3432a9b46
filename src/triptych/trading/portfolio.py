"""The portfolio: cash and positions as the fills say, and nothing but the fills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from triptych.domain import ExchangeEvent, FundingPaid, OrderFilled, Position

ZERO = Decimal(0)
REMEMBERED = 20_000
"""Newest fills that are recognised when they come again; a house that never ends must not grow for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PortfolioState:
    """All a portfolio remembers. Money in quote currency."""

    initial_capital: Decimal
    cash: Decimal
    realised: Decimal
    fees: Decimal
    funding: Decimal
    spread_slippage: Decimal
    turnover: Decimal
    positions: tuple[Position, ...]
    marks: tuple[tuple[str, float], ...]
    fill_ids: tuple[str, ...]


class Portfolio:
    """Money and positions of one account.

    Two ledgers are kept, which must agree: cash, changed by every payment, with equity = cash + sum of quantity * mark;
    and profit, with equity = initial capital + realised + unrealised - fees - funding. Amounts are Decimal; `equity`
    and `notional`, asked at every candle, are float64.

    Attributes:
        realised: profit of what was closed, before fees.
        fees, funding: paid so far.
        spread_slippage: what fills cost against their reference prices.
        turnover: traded notional.
    """

    def __init__(self, initial_capital: Decimal) -> None:
        self.initial_capital = initial_capital
        self.cash = initial_capital
        self.realised = self.fees = self.funding = self.spread_slippage = self.turnover = ZERO
        self._positions: dict[str, Position] = {}
        self._marks: dict[str, float] = {}
        self._fill_ids: dict[str, None] = {}
        self._cash = float(initial_capital)
        self._open: dict[str, float] = {}

    def apply(self, event: ExchangeEvent) -> bool:
        """Enter an event. Returns False for a fill that was entered before: a repeated message changes nothing."""
        if isinstance(event, OrderFilled):
            if event.fill_id in self._fill_ids:
                return False
            self._fill_ids[event.fill_id] = None
            if len(self._fill_ids) > REMEMBERED:
                del self._fill_ids[next(iter(self._fill_ids))]
            self._enter(event)
        elif isinstance(event, FundingPaid):
            self.funding += event.amount
            self.cash -= event.amount
        self._cash = float(self.cash)
        return True

    def _enter(self, fill: OrderFilled) -> None:
        notional = fill.quantity * fill.price
        position, realised = self.position(fill.symbol).after(fill)
        self._positions[fill.symbol] = position
        self.realised += realised
        self.fees += fill.fee
        self.turnover += notional
        self.spread_slippage += abs(fill.price - fill.reference_price) * fill.quantity
        self.cash -= fill.side.sign * notional + fill.fee
        if position.quantity:
            self._open[fill.symbol] = float(position.quantity)
            self._marks.setdefault(fill.symbol, float(fill.price))
        else:
            self._open.pop(fill.symbol, None)

    def mark(self, symbol: str, price: float) -> None:
        """Value the position in `symbol` at this price from now on."""
        self._marks[symbol] = price

    def last_mark(self, symbol: str) -> float:
        """The price `symbol` was last valued at, 0 before the first."""
        return self._marks.get(symbol, 0.0)

    def position(self, symbol: str) -> Position:
        """The position in one instrument, flat when there never was one."""
        return self._positions.get(symbol) or Position(symbol=symbol)

    def quantity(self, symbol: str) -> float:
        """Signed quantity held, base units."""
        return self._open.get(symbol, 0.0)

    def equity(self) -> float:
        """Cash and positions at their marks."""
        total = self._cash
        for symbol, quantity in self._open.items():
            total += quantity * self._marks[symbol]
        return total

    def unrealised(self) -> Decimal:
        """Profit of the open positions at their marks, before fees."""
        return sum(
            (self._positions[symbol].unrealised(Decimal(repr(self._marks[symbol]))) for symbol in self._open), ZERO
        )

    def notional(self) -> float:
        """Signed notional of all positions at their marks."""
        total = 0.0
        for symbol, quantity in self._open.items():
            total += quantity * self._marks[symbol]
        return total

    def state(self) -> PortfolioState:
        """All there is to remember, for the journal."""
        return PortfolioState(
            initial_capital=self.initial_capital,
            cash=self.cash,
            realised=self.realised,
            fees=self.fees,
            funding=self.funding,
            spread_slippage=self.spread_slippage,
            turnover=self.turnover,
            positions=tuple(self._positions.values()),
            marks=tuple(self._marks.items()),
            fill_ids=tuple(self._fill_ids),
        )

    def restore(self, state: PortfolioState) -> None:
        """Become the portfolio that `state` was taken from."""
        self.initial_capital, self.cash, self.realised = state.initial_capital, state.cash, state.realised
        self.fees, self.funding = state.fees, state.funding
        self.spread_slippage, self.turnover = state.spread_slippage, state.turnover
        self._positions = {position.symbol: position for position in state.positions}
        self._marks = dict(state.marks)
        self._fill_ids = dict.fromkeys(state.fill_ids)
        self._cash = float(self.cash)
        self._open = {p.symbol: float(p.quantity) for p in state.positions if p.quantity}
