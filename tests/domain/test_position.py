from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain import OrderFilled, Position, Side

D = Decimal


def _fill(side: str, quantity: str | Decimal, price: str | Decimal) -> OrderFilled:
    return OrderFilled(
        order_id="1", fill_id="1", symbol="X", side=Side(side), quantity=D(quantity), price=D(price), fee=D(0),
        is_maker=False, time_ms=0, reference_price=D(price),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "entry", "fill", "after", "new_entry", "realised"),
    [
        ("0", "0", ("buy", "2", "100"), "2", "100", "0"),
        ("0", "0", ("sell", "2", "100"), "-2", "100", "0"),
        ("2", "100", ("buy", "2", "110"), "4", "105", "0"),
        ("-1", "100", ("sell", "3", "80"), "-4", "85", "0"),
        ("4", "105", ("sell", "1", "115"), "3", "105", "10"),
        ("-4", "85", ("buy", "1", "80"), "-3", "85", "5"),
        ("3", "105", ("sell", "3", "100"), "0", "0", "-15"),
        ("3", "105", ("sell", "5", "110"), "-2", "110", "15"),
        ("-3", "85", ("buy", "4", "90"), "1", "90", "-15"),
    ],
)
def test_a_fill_opens_adds_reduces_closes_or_turns(quantity, entry, fill, after, new_entry, realised):
    position = Position(symbol="X", quantity=D(quantity), entry_price=D(entry))
    result, profit = position.after(_fill(*fill))
    assert (result.quantity, result.entry_price, profit) == (D(after), D(new_entry), D(realised))


def test_the_open_profit_of_long_and_short():
    assert Position(symbol="X", quantity=D(2), entry_price=D(100)).unrealised(D(90)) == D(-20)
    assert Position(symbol="X", quantity=D(-2), entry_price=D(100)).unrealised(D(90)) == D(20)
    assert Position(symbol="X").unrealised(D(90)) == 0


fills = st.lists(
    st.builds(
        _fill,
        st.sampled_from(["buy", "sell"]),
        st.decimals("0.001", "50", places=3),
        st.decimals("0.01", "5000", places=2),
    ),
    min_size=1,
    max_size=25,
)


@given(fills=fills, last=st.decimals("0.01", "5000", places=2))
def test_fills_neither_make_nor_lose_profit(fills, last):
    """Realised and open profit together are always the cash flow plus what the position is worth."""
    position, realised, cash = Position(symbol="X"), D(0), D(0)
    for fill in fills:
        position, profit = position.after(fill)
        realised += profit
        cash -= fill.side.sign * fill.quantity * fill.price
    assert position.quantity == sum((fill.side.sign * fill.quantity for fill in fills), D(0))
    difference = realised + position.unrealised(last) - (cash + position.quantity * last)
    assert abs(difference) < D("1e-15")  # an average price may not fit into 28 digits


@given(fills=fills)
def test_the_entry_price_lies_between_the_prices_that_were_paid(fills):
    position = Position(symbol="X")
    for fill in fills:
        position, _ = position.after(fill)
        prices = [one.price for one in fills]
        if position.quantity:
            assert min(prices) - D("1e-20") <= position.entry_price <= max(prices) + D("1e-20")
        else:
            assert position.entry_price == 0


@given(fills=fills)
def test_profit_mirrors_when_buyers_and_sellers_change_places(fills):
    one, other = Position(symbol="X"), Position(symbol="X")
    for fill in fills:
        one, _ = one.after(fill)
        other, _ = other.after(_fill("sell" if fill.side is Side.BUY else "buy", fill.quantity, fill.price))
    assert other.quantity == -one.quantity
    assert other.entry_price == one.entry_price
