import pytest
from pydantic import ValidationError

from triptych.exchanges.bybit.hosts import Config


def at(rest, private):
    return Config(environment="custom", rest=rest, public="wss://stream.bybit.com/v5/public", private=private)


@pytest.mark.parametrize(
    ("environment", "world"),
    [("mainnet", "real"), ("testnet", "testnet"), ("demo", "demo"), ("local", "simulated")],
)
def test_each_environment_is_of_its_own_world_and_says_so(environment, world):
    hosts = Config(environment=environment)
    assert hosts.world == world
    assert hosts.venue == ("bybit real money" if world == "real" else f"bybit {world}")


@pytest.mark.parametrize(
    ("rest", "world"),
    [
        ("http://127.0.0.1:1", "simulated"),
        ("http://127.9.9.9:1", "simulated"),
        ("http://[::1]:1", "simulated"),
        ("http://LOCALHOST:1", "simulated"),
        ("https://API-TESTNET.bybit.com./", "testnet"),
        ("https://api-demo.bybit.com", "demo"),
        ("https://api.bybit.com", "real"),
        ("https://api.bytick.com", "real"),
        ("https://api.bybit.eu", "real"),
        ("https://api-demo.bybit.com.example.org", "real"),
        ("https://192.168.0.7:8765", "real"),
        ("https://exchange:8765", "real"),
    ],
)
def test_the_world_of_an_address_is_that_of_its_host_and_whatever_is_not_known_is_real_money(rest, world):
    assert at(rest, "ws://127.0.0.1:1/v5/private").world == world
    assert Config(environment="local", rest=rest).world == world


def test_of_two_worlds_the_dearer_one_counts():
    assert at("https://api-demo.bybit.com", "wss://stream.bybit.com/v5/private").world == "real"


@pytest.mark.parametrize("rest", ["http://127.0.0.1@api.bybit.com", "http://api.bybit.com\\@127.0.0.1"])
def test_an_address_names_a_host_and_no_user(rest):
    with pytest.raises(ValidationError, match="rest must name a host, and a port if need be, and nothing else"):
        Config(environment="local", rest=rest)


@pytest.mark.parametrize("address", ["http://192.168.0.7:8765", "http://exchange:8765", "http://api.bybit.com"])
def test_nothing_is_sent_readable_beyond_this_machine(address):
    words = f"{address} would carry the key and every order readable over a network; take https://, or a tunnel"
    with pytest.raises(ValidationError, match=f"rest: {words} that ends on this machine"):
        at(address, "wss://stream.bybit.com/v5/private")
    with pytest.raises(ValidationError, match=r"private: ws://10\.0\.0\.1/v5/private would carry the key"):
        at("https://api.bybit.com", "ws://10.0.0.1/v5/private")
