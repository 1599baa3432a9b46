from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain import FundingPaid, OrderFilled, Side
from triptych.trading.portfolio import Portfolio


def fill(number, side, quantity, price, *, fee="0", reference=None, symbol="ABC"):
    return OrderFilled(
        order_id="o", fill_id=str(number), symbol=symbol, side=Side(side), quantity=Decimal(quantity),
        price=Decimal(price), fee=Decimal(fee), is_maker=False, time_ms=number,
        reference_price=Decimal(reference or price),
    )  # fmt: skip


def test_a_round_trip_by_hand():
    portfolio = Portfolio(Decimal(1000))
    portfolio.apply(fill(1, "buy", "2", "101", fee="1", reference="100"))
    portfolio.mark("ABC", 110.0)
    assert portfolio.equity() == 1017.0  # 1000 - 1 + 2 * 9
    assert portfolio.unrealised() == 18
    assert portfolio.notional() == 220.0
    portfolio.apply(FundingPaid(symbol="ABC", time_ms=2, amount=Decimal("0.5")))
    portfolio.apply(fill(3, "sell", "2", "120", fee="2", reference="121"))
    assert (portfolio.realised, portfolio.fees, portfolio.funding) == (38, 3, Decimal("0.5"))
    assert (portfolio.spread_slippage, portfolio.turnover) == (4, 442)
    assert portfolio.equity() == 1034.5
    assert portfolio.quantity("ABC") == 0.0


def test_a_repeated_fill_changes_nothing():
    portfolio = Portfolio(Decimal(1000))
    assert portfolio.apply(fill(1, "buy", "2", "100"))
    assert not portfolio.apply(fill(1, "buy", "2", "100"))
    assert portfolio.position("ABC").quantity == 2


FILLS = st.lists(
    st.tuples(
        st.sampled_from(["ABC", "XYZ"]),
        st.sampled_from(["buy", "sell"]),
        st.decimals("0.001", "50", places=3),
        st.decimals("0.01", "500", places=2),
        st.decimals("0", "3", places=4),
        st.decimals("-1", "1", places=4),
    ),
    max_size=30,
)


@given(fills=FILLS, marks=st.tuples(st.floats(0.01, 500), st.floats(0.01, 500)))
def test_both_ledgers_agree(fills, marks):
    portfolio = Portfolio(Decimal(10_000))
    for number, (symbol, side, quantity, price, fee, funding) in enumerate(fills):
        portfolio.apply(fill(number, side, str(quantity), str(price), fee=str(fee), symbol=symbol))
        portfolio.apply(FundingPaid(symbol=symbol, time_ms=number, amount=funding))
    for symbol, mark in zip(("ABC", "XYZ"), marks, strict=True):
        portfolio.mark(symbol, mark)
    by_profit = 10_000 + portfolio.realised + portfolio.unrealised() - portfolio.fees - portfolio.funding
    assert portfolio.equity() == pytest.approx(float(by_profit), abs=1e-6)


@given(fills=FILLS)
def test_a_restored_portfolio_is_the_same(fills):
    portfolio = Portfolio(Decimal(10_000))
    for number, (symbol, side, quantity, price, fee, _) in enumerate(fills):
        portfolio.apply(fill(number, side, str(quantity), str(price), fee=str(fee), symbol=symbol))
        portfolio.mark(symbol, 7.0)
    other = Portfolio(Decimal(1))
    other.restore(portfolio.state())
    assert other.state() == portfolio.state()
    assert other.equity() == portfolio.equity()
    if fills:
        assert not other.apply(fill(0, "buy", "1", "1"))
