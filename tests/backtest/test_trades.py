from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.backtest.trades import TradeBook
from triptych.domain import FillReason, FundingPaid, OrderFilled, Side
from triptych.trading import Portfolio

HOURS = {"ABC": np.arange(100, dtype=np.int64) * 10}


def fill(number, side, quantity, price, *, fee="0", time_ms=0, reason=FillReason.ORDER):
    return OrderFilled(
        order_id="o", fill_id=str(number), symbol="ABC", side=Side(side), quantity=Decimal(quantity),
        price=Decimal(price), fee=Decimal(fee), is_maker=False, time_ms=time_ms, reference_price=Decimal(price),
        reason=reason,
    )  # fmt: skip


def test_a_round_trip_with_fees_and_funding():
    book = TradeBook(HOURS)
    book.on_fill(fill(1, "buy", "2", "100", fee="1", time_ms=30))
    book.on_funding(FundingPaid(symbol="ABC", time_ms=40, amount=Decimal("0.5")))
    book.on_fill(fill(2, "sell", "2", "110", fee="2", time_ms=60, reason=FillReason.STOP_LOSS))
    (trade,) = book.finish({}, 990).to_dicts()
    assert (trade["side"], trade["quantity"], trade["entry_price"], trade["exit_price"]) == ("long", 2.0, 100.0, 110.0)
    assert trade["profit"] == 16.5  # 2 * 10 - 1 - 2 - 0.5
    assert trade["return"] == 0.0825
    assert (trade["fees"], trade["candles_held"], trade["exit_reason"]) == (3.0, 3, "stop_loss")


def test_every_partial_close_is_a_trade_with_its_share_of_the_costs():
    book = TradeBook(HOURS)
    book.on_fill(fill(1, "sell", "3", "100", fee="3"))
    book.on_fill(fill(2, "sell", "1", "120", fee="1"))  # average entry 105
    book.on_fill(fill(3, "buy", "1", "95", fee="0.5"))
    book.on_fill(fill(4, "buy", "3", "115", fee="0.5"))
    first, second = book.finish({}, 990).to_dicts()
    assert (first["side"], first["entry_price"], first["profit"]) == ("short", 105.0, 8.5)
    assert (second["quantity"], second["profit"]) == (3.0, -33.5)


def test_a_fill_through_zero_closes_and_opens():
    book = TradeBook(HOURS)
    book.on_fill(fill(1, "buy", "1", "100"))
    book.on_fill(fill(2, "sell", "3", "110", fee="3", time_ms=20))
    long, short = book.finish({"ABC": 100.0}, 50).to_dicts()
    assert (long["profit"], long["fees"], long["exit_reason"]) == (9.0, 1.0, "order")
    assert (short["side"], short["profit"], short["exit_reason"], short["candles_held"]) == ("short", 18.0, "end", 3)


def test_without_fills_there_are_no_trades():
    assert TradeBook(HOURS).finish({}, 0).height == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell"]), st.decimals("0.1", "9", places=1), st.decimals("1", "99", places=2),
            st.decimals("0", "1", places=2), st.decimals("-1", "1", places=2),
        ),
        max_size=25,
    ),
    st.floats(1, 99),
)  # fmt: skip
def test_the_profits_of_all_trades_sum_to_the_change_of_the_equity(fills, mark):
    book, portfolio = TradeBook(HOURS), Portfolio(Decimal(1000))
    for number, (side, quantity, price, fee, funding) in enumerate(fills):
        event = fill(number, side, str(quantity), str(price), fee=str(fee))
        book.on_fill(event)
        portfolio.apply(event)
        if portfolio.quantity("ABC"):
            paid = FundingPaid(symbol="ABC", time_ms=0, amount=funding)
            book.on_funding(paid)
            portfolio.apply(paid)
    portfolio.mark("ABC", mark)
    total = book.finish({"ABC": mark}, 990)["profit"].sum()
    assert total == pytest.approx(portfolio.equity() - 1000, abs=1e-6)
