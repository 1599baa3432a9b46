import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from triptych.bootstrap.affording import require_wallet
from triptych.domain import WalletReport
from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.settings.live import LiveSettings

REAL, DEMO = HostConfig(environment="mainnet"), HostConfig(environment="demo")


def house(capital, *, began=None, equity=0.0, **settings):
    """As much of a house as is looked at; `began`: the capital that its journal began with."""
    portfolio = SimpleNamespace(initial_capital=Decimal(str(began or 0)), equity=lambda: equity)
    books = SimpleNamespace(recover=lambda: began is not None, engine=SimpleNamespace(portfolio=portfolio))
    return SimpleNamespace(
        settings=LiveSettings(capital=capital, **settings), trader=SimpleNamespace(books=books)
    )  # fmt: skip


def look(one, hosts, held=200):
    said = []
    money = WalletReport(currency="USDT", equity=Decimal(held), balance=Decimal(held), updated_ms=0)
    require_wallet(one, hosts, money, said.append)
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
        look(house(100, began=100, equity=211.0), REAL)
    assert caught.value.message == "The engine would work with 211 USDT, and the account holds 200."


def test_after_a_loss_the_same_settings_start_again():
    assert look(house(250, began=250, equity=200.5), REAL) == []


def test_a_capital_that_the_journal_does_not_heed_is_told_and_refused_with_real_money():
    words = (
        "The journal began with a capital of 10000 USDT and its equity is 9876; sizes go by that, not by capital = 150."
    )
    with pytest.raises(RecipeError) as caught:
        look(house(150, began=10_000, equity=9_876.0), REAL)
    assert caught.value.message == words
    assert look(house(150, began=10_000, equity=9_876.0), DEMO, held=20_000) == [words]


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
