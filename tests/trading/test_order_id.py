import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain.errors import OrderError
from triptych.trading.order_id import MAXIMUM_TOKEN, OrderIds


def test_the_same_order_has_the_same_id_in_every_process():
    # The hash of this id must never change: an exchange recognises orders by it after a restart.
    assert OrderIds("demo", "BTCUSDT").make(1_700_000_000_000, "open") == "BTCUSDT-c195b813c7-loyw3v28-o0"


@given(
    strategy=st.text(max_size=40), symbol=st.text(max_size=40),
    time_ms=st.integers(0, 36**9 - 1), leg=st.sampled_from(["open", "close"]), attempt=st.integers(0, 9999),
    token=st.integers(0, MAXIMUM_TOKEN),
)  # fmt: skip
def test_ids_fit_the_rules_of_venues(strategy, symbol, time_ms, leg, attempt, token):
    ids = OrderIds(strategy, symbol, token)
    made = ids.make(time_ms, leg, attempt)
    assert re.fullmatch("[A-Za-z0-9_-]{1,36}", made)
    assert ids.is_ours(made)
    assert OrderIds(strategy, symbol).is_ours(made)


def test_the_token_of_the_sender_stands_in_the_id():
    made = OrderIds("demo", "BTCUSDT", 71).make(1_700_000_000_000, "open")
    assert made == "BTCUSD_1z-c195b813c7-loyw3v28-o0"
    assert not OrderIds("demo", "ETHUSDT").is_ours(made)
    assert not OrderIds("demo", "BTCUSDT").is_ours("BTCUSDT-by-hand")
    with pytest.raises(OrderError, match=r"No order ids for the token 1679616\. Start with a new journal\."):
        OrderIds("demo", "BTCUSDT", MAXIMUM_TOKEN + 1)


def test_everything_that_tells_orders_apart_changes_the_id():
    variants = [
        OrderIds(strategy, symbol).make(time_ms, leg, attempt)
        for strategy in ("a", "b")
        for symbol in ("BTC/USDT", "BTCUSDT", "1000SHIBUSDT", "1000SHIBUSDC")
        for time_ms in (0, 60_000)
        for leg in ("open", "close")
        for attempt in (0, 1)
    ]
    assert len(set(variants)) == len(variants)


def test_an_attempt_that_does_not_fit_is_refused():
    with pytest.raises(OrderError, match=r"No order id for close time 0 and attempt 10000\."):
        OrderIds("a", "b").make(0, "open", 10_000)
