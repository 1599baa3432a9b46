from dataclasses import replace
from decimal import Decimal

import pytest
from tests.fakes.served import BITCOIN

from triptych.bootstrap.settling import NeverAsked
from triptych.domain import OrderFilled, Side
from triptych.domain.errors import DataError
from triptych.live.books import Books
from triptych.live.journal import Journal, StepRecorded
from triptych.live.letting_go import let_go
from triptych.strategies import Config, create_strategy
from triptych.trading.engine import Engine

ETHER = replace(BITCOIN, symbol="ETHUSDT")


def fill(number, side):
    return OrderFilled(
        order_id=f"o{number}", fill_id=f"f{number}", symbol="ETHUSDT", side=side, quantity=Decimal("0.5"),
        price=Decimal(1_000 + 10 * number), fee=Decimal(1), is_maker=False, time_ms=number, reference_price=Decimal(1),
    )  # fmt: skip


def engine(*instruments):
    return Engine(
        name="house", instruments=instruments, predictor=NeverAsked(), strategy=create_strategy(Config()),
        initial_capital=Decimal(10_000),
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    """Of a house that trades two instruments and has bought ether after its last decision."""
    journal = Journal.open(tmp_path / "j.db", "house", owner="test")
    journal.lease.acquire()
    state = engine(BITCOIN, ETHER).state()
    journal.append(StepRecorded(close_ms=1, decisions=(), denials=(), commands=(), state=state, stops={}))
    journal.append(fill(1, Side.BUY))
    yield journal
    journal.close()


def start(journal, *instruments):
    said = []
    books = Books(engine(*instruments), journal, note=said.append)
    let_go(books, lambda text, symbol: said.append((symbol, text)))
    return books, said


def test_an_instrument_that_is_held_is_not_forgotten(journal):
    with pytest.raises(DataError) as caught:
        start(journal, BITCOIN)
    assert (
        caught.value.message == "The journal holds 0.5 ETHUSDT, and ETHUSDT is not among the instruments of this start."
    )
    assert caught.value.remedy == (
        "Trade it as well (--symbol ETHUSDT), or close it at the venue and run `triptych reconcile "
        f"{journal.place} --venue VENUE --repair --adopt`, then start again."
    )
    assert start(journal, BITCOIN, ETHER)[1] == []


def test_one_that_is_flat_is_let_go_and_its_money_stays(journal):
    journal.append(fill(2, Side.SELL))
    books, said = start(journal, BITCOIN)
    assert said == [("ETHUSDT", "ETHUSDT is not traded any more; the journal holds nothing of it")]
    assert books.engine.portfolio.equity() == 10_003.0
    state = books.engine.state()
    journal.append(StepRecorded(close_ms=2, decisions=(), denials=(), commands=(), state=state, stops={}))
    assert start(journal, BITCOIN)[1] == []
    assert start(journal, BITCOIN, ETHER)[0].engine.portfolio.equity() == 10_003.0
