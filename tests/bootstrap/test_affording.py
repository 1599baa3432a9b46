import asyncio
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fakes.market import walk
from tests.live.house import House as TradingHouse
from tests.live.house import closes, paper

from triptych.bootstrap.affording import keep_asking, require_wallet
from triptych.domain import OrderFilled, Side, WalletReport
from triptych.domain.errors import ExchangeError, RecipeError
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.live.gate import Gate
from triptych.live.journal import Switch, SwitchSet
from triptych.live.letting_go import let_go
from triptych.settings.live import LiveSettings
from triptych.trading.portfolio import Portfolio

REAL, DEMO = HostConfig(environment="mainnet"), HostConfig(environment="demo")


def filled(side, price, number):
    return OrderFilled(
        order_id="o", fill_id=str(number), symbol="AAA", side=side, quantity=Decimal(1), price=Decimal(str(price)),
        fee=Decimal(0), is_maker=False, time_ms=0, reference_price=Decimal(str(price)),
    )  # fmt: skip


def house(capital, *, began=None, won=0.0, held_at=None, mark=0.0, is_killed=False, **settings):
    """As much of a house as is looked at.

    `began`: the capital that its journal began with, if it is gone on with; `won` since, on what was closed; one unit
    is held since `held_at`, and its price was `mark` at the last decision.
    """
    settings = LiveSettings(capital=capital, **settings)
    portfolio = Portfolio(Decimal(str(began or 0)))
    portfolio.apply(filled(Side.BUY, 1_000, 1))
    portfolio.apply(filled(Side.SELL, 1_000 + won, 2))
    if held_at is not None:
        portfolio.apply(filled(Side.BUY, held_at, 3))
        portfolio.mark("AAA", mark)
    engine = SimpleNamespace(portfolio=portfolio, symbols=("AAA",))
    books = SimpleNamespace(last_close_ms=-1 if began is None else 1, engine=engine, under_way=())
    said = []
    return SimpleNamespace(
        settings=settings, trader=SimpleNamespace(books=books, is_in_doubt=False), gate=Gate(settings.gate), said=said,
        journal=SimpleNamespace(is_killed=lambda: is_killed), note=lambda *words: said.append(words),
    )  # fmt: skip


def money(equity, balance=None):
    balance = equity if balance is None else balance
    return WalletReport(currency="USDT", equity=Decimal(str(equity)), balance=Decimal(str(balance)), updated_ms=0)


def look(one, hosts, held=200, balance=None):
    said = []
    require_wallet(one, hosts, money(held, balance), said.append)
    return said


def test_real_money_takes_no_more_capital_than_the_account_holds_unless_told_so():
    with pytest.raises(RecipeError) as caught:
        look(house(500), REAL)
    assert caught.value.message == "The engine would work with 500 USDT, and the account holds 200."
    assert look(house(500), DEMO) == ["Note: the engine works with 500, more than the account holds."]
    assert look(house(500, more_than_wallet=True), REAL) == look(house(500), DEMO)
    assert look(house(200), REAL) == []


def test_a_journal_that_is_gone_on_with_is_measured_by_its_own_equity():
    with pytest.raises(RecipeError) as caught:
        look(house(100, began=100, won=111), REAL)
    assert caught.value.message == "The engine would work with 211 USDT, and the account holds 200."


def test_after_a_loss_the_same_settings_start_again():
    assert look(house(250, began=250, won=-49.5), REAL) == []


def test_a_capital_that_the_journal_does_not_heed_is_told_and_refused_with_real_money():
    words = (
        "The journal began with a capital of 10000 USDT and, without what is open, has become 9876; sizes go by that, "
        "not by capital = 150."
    )
    with pytest.raises(RecipeError) as caught:
        look(house(150, began=10_000, won=-124), REAL)
    assert caught.value.message == words
    assert look(house(150, began=10_000, won=-124), DEMO, held=20_000) == [words]


def test_a_limit_below_the_equity_is_told_before_anything_is_traded():
    found = look(house(200, gate={"max_order_quote": 50, "max_position_quote": 300}), REAL)
    assert found == [
        "Note: gate.max_order_quote is 50 and the engine works with 200 USDT; an entry above 25.0% of that is held "
        "back whole, not made smaller."
    ]


def test_the_documented_examples_of_real_money_let_the_whole_capital_pass():
    """Sizes are shares of the capital: with a limit below it the example would never trade."""
    docs = Path(__file__).parents[2] / "docs"
    for text in (docs / "how-to" / "trade-live.md", docs / "operations.md"):
        found = {}
        for name, value in re.findall(r"(capital|max_order_quote|max_position_quote) ?= ?([0-9.]+)", text.read_text()):
            found.setdefault(name, float(value))
        assert 0 < found["capital"] <= min(found["max_order_quote"], found["max_position_quote"]), text


@pytest.mark.parametrize("name", ["max_order_quote", "max_position_quote", "max_gross_quote", "max_net_quote"])
def test_a_limit_far_above_the_wallet_is_no_limit_and_real_money_is_refused(name):
    with pytest.raises(RecipeError) as caught:
        look(house(200, gate={name: 1e300}), REAL)
    assert caught.value.message == (
        f"gate.{name} is 1e+300 and the account holds 200 USDT: a limit above 10 times of that limits nothing."
    )
    assert caught.value.remedy == "Set it to what you would lose sleep over, 2000 at most."
    assert look(house(200, gate={name: 2000}), REAL) == look(house(200, gate={name: 1e300}), DEMO) == []


def test_a_limit_that_is_no_number_is_none():
    for value in ("inf", "nan"):
        with pytest.raises(ValueError, match="finite number"):
            LiveSettings(gate={"max_order_quote": float(value)})


def test_a_price_that_has_fallen_since_the_last_decision_refuses_no_start():
    """The books' mark is of the last decision, the wallet's of now: 30 of 200 are lost at once, and only on paper."""
    one = house(200, began=200, held_at=190, mark=190.0)
    assert look(one, REAL, held=170, balance=200) == []
    assert one.gate.opens_nothing == ""


def test_a_profit_that_the_venue_has_settled_already_refuses_no_start_either():
    """Contracts in USDC: what is won or lost is paid every few hours, while the books still hold it as open."""
    assert look(house(200, began=200, held_at=190, mark=160.0), REAL, held=170, balance=170) == []


def test_a_limit_that_was_sensible_at_first_is_so_after_a_loss():
    limits = {"max_order_quote": 2000}
    assert look(house(200, began=200, won=-50, gate=limits), REAL, held=150) == []
    with pytest.raises(RecipeError):
        look(house(150, gate=limits), REAL, held=150)


@pytest.mark.parametrize("what", [{"held_at": 10, "mark": 10.0}, {"is_killed": True}])
def test_a_start_that_has_something_to_look_after_opens_nothing_and_is_not_refused(what):
    one = house(500, began=500, **what)
    look(one, REAL)
    assert one.gate.opens_nothing == "The engine would work with 500 USDT, and the account holds 200."
    assert one.said == [
        (
            "critical",
            "capital",
            "The engine would work with 500 USDT, and the account holds 200. Nothing is opened; exits go on. Bring the "
            "account to that, or begin a new journal once it is flat, or say --set more_than_wallet=true.",
            "",
        )
    ]


def test_it_opens_again_once_books_and_account_agree():
    one = house(500, began=500, held_at=10, mark=10.0)
    look(one, REAL)
    answers = [ExchangeError("down", remedy="wait"), money(200), money(500)]

    async def ask():
        assert not one.trader.is_in_doubt
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def settle():
        await asyncio.sleep(0.02)
        assert len(answers) == 3  # not before it is reconciled
        one.trader.is_in_doubt = False

    async def act():
        one.trader.is_in_doubt = True
        await asyncio.gather(keep_asking(one, REAL, ask, look_s=0.001, again_s=0.001), settle())

    asyncio.run(act())
    assert answers == []
    assert one.gate.opens_nothing == ""
    assert one.said[1:] == [
        ("info", "capital", "the account holds what the engine works with: positions may be opened", "")
    ]


def test_a_house_that_died_in_a_falling_market_starts_again_by_itself(tmp_path):
    """Long with all of its capital, 6 % below the close of the last decision, no stop hit."""
    series = walk(60, seed=3, symbol="AAA")
    values = series.values.copy()
    values[25:, :4] = values[24, 3] * 0.94
    series = replace(series, values=values)
    clock, venue = paper([series])

    async def trade():
        one = TradingHouse(tmp_path / "j.db", [series.instrument], venue, clock)
        await one.trader.start()
        for candles in list(closes([series]))[:25]:
            venue.on_candles(candles)
            clock.set(candles[0].close_time_ms)
            for message in venue.pending():
                await one.trader.on_message(message)
            await one.trader.on_candles(candles)
        one.journal.append(SwitchSet(switch=Switch.KILLED, by="anna", reason="it falls"))
        one.journal.lease.release()
        one.close()

    asyncio.run(trade())
    again = TradingHouse(tmp_path / "j.db", [series.instrument], venue, clock)
    let_go(again.trader.books)
    portfolio = again.engine.portfolio
    assert portfolio.position("AAA").quantity > 0
    balance = portfolio.equity() - float(portfolio.unrealised())
    now = balance + float(portfolio.position("AAA").unrealised(Decimal(repr(float(values[25, 3])))))
    assert portfolio.equity() > 1.05 * now  # the marks of the last decision beside those of the venue
    gate, said = Gate(LiveSettings().gate), []
    part = SimpleNamespace(
        settings=LiveSettings(capital=10_000), trader=again.trader, gate=gate, journal=again.journal,
        note=lambda *words: said.append(words),
    )  # fmt: skip
    require_wallet(part, REAL, money(now, balance), said.append)
    assert gate.opens_nothing == ""
    assert said == []
    require_wallet(part, REAL, money(now, now), said.append)  # and if the stop had been hit meanwhile
    assert gate.opens_nothing.startswith("The engine would work with")
    again.close()
