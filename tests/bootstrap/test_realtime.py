import pytest

from triptych.bootstrap.realtime import bybit_at


@pytest.mark.parametrize("address", ["127.0.0.1:8765", "http://127.0.0.1:8765", "http://127.0.0.1:8765/"])
def test_the_address_is_taken_as_the_served_exchange_prints_it(address):
    hosts = bybit_at(address)
    assert hosts.rest_url == "http://127.0.0.1:8765"
    assert hosts.public == "ws://127.0.0.1:8765/v5/public"


def test_no_address_is_the_mainnet():
    assert bybit_at("").environment == "mainnet"
