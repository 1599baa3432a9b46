"""What sizing will really use beside what the account really holds, before any real money is traded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from triptych.bootstrap.house import House
from triptych.bootstrap.telling import Tell
from triptych.domain import WalletReport
from triptych.domain.errors import AuthenticationRefused, Banned, ExchangeError, RecipeError
from triptych.exchanges.bybit.hosts import Config as HostConfig

TOLERANCE: Final = 0.05
"""Share by which the books of a journal may be above the wallet: fees and payments are booked at other moments."""

MOST_TIMES: Final = 10
"""A limit in money above so many times the wallet limits nothing: it was mistyped, or waved through."""

LOOK_S: Final = 1.0
AGAIN_S: Final = 60.0
"""Seconds between two looks whether the books are settled, and between two questions for the wallet."""


def require_wallet(house: House, hosts: HostConfig, wallet: WalletReport, tell: Tell) -> None:
    """No real money is traded by accident with more than the account holds: sizes are shares of the equity.

    A new journal begins with `capital`. One that is gone on with brings its own money, whatever `capital` says now. A
    start that has something to look after, a position, an order or a kill, is not refused for it: nothing is opened
    then, and the house is told why; see `keep_asking`.

    Raises RecipeError with real money and nothing to look after, and only tells elsewhere.
    """
    try:
        _require(house, hosts, wallet, tell)
    except RecipeError as error:
        if not _has_to_finish(house):
            raise
        house.gate.opens_nothing = error.message
        house.note("critical", "capital", f"{error.message} Nothing is opened; exits go on. {error.remedy}", "")


async def keep_asking(
    house: House,
    hosts: HostConfig,
    ask: Callable[[], Awaitable[WalletReport]],
    *,
    look_s: float = LOOK_S,
    again_s: float = AGAIN_S,
) -> None:
    """Until something may be opened: look again once the books are settled, and then once a minute.

    What was filled while nobody was there makes books and wallet differ until it is entered. `ask` asks for the wallet.
    """
    wait_s = look_s
    while house.gate.opens_nothing:
        await asyncio.sleep(wait_s)
        if house.trader.is_in_doubt:
            continue
        wait_s = again_s
        try:
            _require(house, hosts, await ask(), lambda _text: None)
        except RecipeError as error:
            house.gate.opens_nothing = error.message
        except (AuthenticationRefused, Banned):  # asking again makes it worse; the session ends by itself
            return
        except ExchangeError:
            continue
        else:
            house.gate.opens_nothing = ""
            house.note("info", "capital", "the account holds what the engine works with: positions may be opened", "")


def _has_to_finish(house: House) -> bool:
    books = house.trader.books
    held = any(books.engine.portfolio.position(symbol).quantity for symbol in books.engine.symbols)
    return held or bool(books.under_way) or house.journal.is_killed()


def _require(house: House, hosts: HostConfig, wallet: WalletReport, tell: Tell) -> None:
    settings, books = house.settings, house.trader.books
    is_real, currency, held = hosts.world == "real", wallet.currency, float(wallet.equity)
    works_with, is_too_much = settings.capital, settings.capital > held
    remedy, most = f"Begin a new journal with a capital of {held:g} at most", held
    if books.last_close_ms >= 0:  # it was recovered when the house was put together
        portfolio = books.engine.portfolio
        began, equity = float(portfolio.initial_capital), portfolio.equity()
        # The price may have moved far since the last decision: what does not depend on it counts.
        works_with, balance = equity - float(portfolio.unrealised()), float(wallet.balance)
        is_too_much = works_with > balance * (1 + TOLERANCE) and equity > held * (1 + TOLERANCE)
        remedy, most = "Bring the account to that, or begin a new journal once it is flat", max(held, began)
        held = balance
        if began != settings.capital:
            text = (
                f"The journal began with a capital of {began:g} {currency} and, without what is open, has become "
                f"{works_with:g}; sizes go by that, not by capital = {settings.capital:g}."
            )
            if is_real:
                raise RecipeError(
                    text,
                    remedy=f"Set capital to {began:g} to go on, or begin a new journal once the account is flat.",
                )
            tell(text)
    if is_real:
        _require_sensible(house, most, currency)
    _tell_limits(house, works_with, currency, tell)
    if not is_too_much:
        return
    if is_real and not settings.more_than_wallet:
        raise RecipeError(
            f"The engine would work with {works_with:g} {currency}, and the account holds {held:g}.",
            remedy=f"{remedy}, or say --set more_than_wallet=true.",
        )
    tell(f"Note: the engine works with {works_with:g}, more than the account holds.")


def _require_sensible(house: House, most: float, currency: str) -> None:
    """`most`: what the account holds; of a journal that is gone on with at least what it began with, so that a loss
    keeps nobody from starting.
    """
    gate = house.settings.gate
    names = ("max_order_quote", "max_position_quote", "max_gross_quote", "max_net_quote")
    limits = {name: getattr(gate, name) for name in names}
    for name, limit in limits.items():
        if limit is not None and limit > MOST_TIMES * most:
            raise RecipeError(
                f"gate.{name} is {limit:g} and the account holds {most:g} {currency}: a limit above {MOST_TIMES} times "
                "of that limits nothing.",
                remedy=f"Set it to what you would lose sleep over, {MOST_TIMES * most:g} at most.",
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
