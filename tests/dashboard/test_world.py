"""Nobody looks at a page, or at its twin, without seeing whether it is real money."""

import pytest

from triptych.dashboard.drawing import render

INSTANCE = {"status": "ready", "name": "house", "venue": "bybit real money", "timeframe": "1m"}


@pytest.mark.parametrize(
    ("world", "words"),
    [("real", "REAL MONEY"), ("demo", "demo"), ("testnet", "testnet"), ("simulated", "simulated"), ("paper", "paper")],
)
def test_the_header_says_the_world_in_a_mark_of_its_own(world, words):
    text = render("status", {"instance": INSTANCE | {"world": world}})
    assert f'<b class="t-world {world}" data-testid="world">{words}</b>' in text


def test_without_a_session_there_is_no_mark():
    assert "t-world" not in render("status", {"instance": INSTANCE | {"world": ""}})


def test_an_entry_that_is_held_back_stands_above_every_page_with_its_reason():
    quiet = INSTANCE | {"closing": None, "trouble": "", "is_reading": False, "reasons": {}}
    reason = "order of 9,900 is above max_order_quote 200"
    text = render("banner", {"instance": quiet | {"held": {"BTCUSDT": reason}}})
    assert f"<strong>BTCUSDT: entries are held back.</strong> {reason}" in text
    assert "held back" not in render("banner", {"instance": quiet | {"held": {}}})
