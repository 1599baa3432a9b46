"""Limits in plain money, the same for the engine's risk (backtest, paper, live) and the last gate before the wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class MoneyLimits:
    """Notionals in quote currency that no opening order may lead beyond; None: no limit.

    Attributes:
        order: of one order.
        position: absolute, of one instrument's position.
        gross: sum of the absolute notionals of all instruments.
        net: longs less shorts of all instruments, either way.
    """

    order: float | None = None
    position: float | None = None
    gross: float | None = None
    net: float | None = None

    def broken_by(self, *, order: float, position: float, others: OthersHeld, sign: int) -> str:
        """Which limit an opening order breaks, in words; empty when it breaks none.

        Args:
            order: its notional.
            position: signed notional of its instrument once it is filled.
            others: what the other instruments hold.
            sign: 1 for a buy, -1 for a sale; an order that lessens what is net is never too much of it.
        """
        if _above(order, self.order):
            return f"order of {order:,.2f} is above max_order_quote {self.order:,g}"
        if _above(abs(position), self.position):
            return f"position of {abs(position):,.2f} would be above max_position_quote {self.position:,g}"
        gross = others.gross + abs(position)
        if _above(gross, self.gross):
            return f"all positions of {gross:,.2f} together would be above max_gross_quote {self.gross:,g}"
        net = (others.net + position) * sign
        if _above(net, self.net):
            return f"longs less shorts of {net * sign:+,.2f} would be beyond max_net_quote {self.net:,g}"
        return ""

    def rooms(self, *, held: float, others: OthersHeld, sign: float) -> list[tuple[float, str]]:
        """The largest notional of a position that each limit leaves, with the limit's name and size.

        Args:
            held: absolute notional that the instrument holds on the wanted side already.
            others: what the other instruments hold.
            sign: 1 for a long position, -1 for a short one.
        """
        found = []
        if self.order is not None:
            found.append((held + self.order, f"max_order_quote {self.order:,g}"))
        if self.position is not None:
            found.append((self.position, f"max_position_quote {self.position:,g}"))
        if self.gross is not None:
            found.append((self.gross - others.gross, f"max_gross_quote {self.gross:,g}"))
        if self.net is not None:
            found.append((self.net - sign * others.net, f"max_net_quote {self.net:,g}"))
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class OthersHeld:
    """What the instruments beside that of an order hold, their orders under way filled, in quote currency.

    Attributes:
        gross: sum of the absolute notionals.
        net: sum of the notionals, longs above zero and shorts below it.
    """

    gross: float = 0.0
    net: float = 0.0

    @classmethod
    def of(cls, notionals: Iterable[float]) -> OthersHeld:
        """From the signed notional of each."""
        all_ = list(notionals)
        return cls(gross=sum(map(abs, all_)), net=sum(all_))


def _above(amount: float, limit: float | None) -> bool:
    return limit is not None and amount > limit * (1 + _TOLERANCE)
