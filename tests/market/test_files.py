import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain.errors import DataError
from triptych.market.files import from_file_name, to_file_name


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_every_name_becomes_one_safe_component_and_comes_back(name):
    safe = to_file_name(name)
    assert from_file_name(safe) == name
    assert set(safe) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-%")
    assert safe not in (".", "..")
    assert not safe.startswith(".")
    assert not safe.endswith(".")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("BTC/USDT:USDT", "BTC%2FUSDT%3AUSDT"),
        ("BRK.B", "BRK.B"),
        ("con", "%63on"),
        ("Nul.x", "%4Eul.x"),
        ("CONE", "CONE"),
    ],
)
def test_ordinary_names_stay_readable(name, safe):
    assert to_file_name(name) == safe


def test_an_empty_name_is_refused():
    with pytest.raises(DataError) as caught:
        to_file_name("")
    assert str(caught.value) == "A symbol or venue in the store must have a name. Say it: `--symbol NAME`."
