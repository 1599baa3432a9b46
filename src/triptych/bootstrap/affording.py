"""What sizing will really use beside what the account really holds, before any real money is traded."""

from __future__ import annotations

from typing import Final

from triptych.bootstrap.house import House
from triptych.bootstrap.telling import Tell
from triptych.domain import WalletReport
from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.hosts import Config as HostConfig

TOLERANCE: Final = 0.05
"""Share by which the books of a journal may be above the wallet: marks differ, and fees are booked at other moments."""

MOST_TIMES: Final = 10
"""A limit in money above so many times the wallet limits nothing: it was mistyped, or waved through."""


def require_wallet(house: House, hosts: HostConfig, wallet: WalletReport, tell: Tell) -> None:
    """No real money is traded by accident with more than the account holds: sizes are shares of the equity.

    A new journal begins with `capital`. One that is gone on with brings its own equity, whatever `capital` says now.
    Raises RecipeError with real money, and only tells elsewhere.
    """
    settings, books = house.settings, house.trader.books
    is_real, currency, held = hosts.world == "real", wallet.currency, float(wallet.equity)
    works_with, spare = settings.capital, 1.0
    if books.recover():
        portfolio = books.engine.portfolio
        began, works_with, spare = float(portfolio.initial_capital), portfolio.equity(), 1 + TOLERANCE
        if began != settings.capital:
            text = (
                f"The journal began with a capital of {began:g} {currency} and its equity is {works_with:g}; sizes go "
                f"by that, not by capital = {settings.capital:g}."
            )
            if is_real:
                raise RecipeError(
                    text,
                    remedy=f"Set capital to {began:g} to go on, or begin a new journal once the account is flat.",
                )
            tell(text)
    if is_real:
        _require_sensible(house, held, currency)
    _tell_limits(house, works_with, currency, tell)
    if works_with <= held * spare:
        return
    if is_real and not settings.more_than_wallet:
        raise RecipeError(
            f"The engine would work with {works_with:g} {currency}, and the account holds {held:g}.",
            remedy=f"Begin a new journal with a capital of {held:g} at most, or say --set more_than_wallet=true.",
        )
    tell(f"Note: the engine works with {works_with:g}, more than the account holds.")


def _require_sensible(house: House, held: float, currency: str) -> None:
    gate = house.settings.gate
    names = ("max_order_quote", "max_position_quote", "max_gross_quote", "max_net_quote")
    limits = {name: getattr(gate, name) for name in names}
    for name, limit in limits.items():
        if limit is not None and limit > MOST_TIMES * held:
            raise RecipeError(
                f"gate.{name} is {limit:g} and the account holds {held:g} {currency}: a limit above {MOST_TIMES} times "
                "of that limits nothing.",
                remedy=f"Set it to what you would lose sleep over, {MOST_TIMES * held:g} at most.",
            )


def _tell_limits(house: House, works_with: float, currency: str, tell: Tell) -> None:
    """An order above a limit is held back whole: a limit below the equity may hold back every entry."""
    gate = house.settings.gate
    limits = {"gate.max_order_quote": gate.max_order_quote, "gate.max_position_quote": gate.max_position_quote}
    for name, limit in limits.items():
        if limit is not None and limit < works_with:
            tell(
                f"Note: {name} is {limit:g} and the engine works with {works_with:g} {currency}; an entry above "
                f"{limit / works_with:.1%} of that is held back whole, not made smaller."
            )
