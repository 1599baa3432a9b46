import polars as pl

from triptych.backtest.held_back import held_back

NONE = pl.DataFrame({"symbol": []})


def decisions(*rows):
    return pl.DataFrame({"target": [float(t) for t, _ in rows], "reason": [r for _, r in rows]})


def test_the_commonest_reason_is_told_whatever_its_numbers():
    told = decisions(
        (1, "long; votes: a buy 0.6; cut from 0.5 to 0.001 by max_exposure 0.001; no order: quantity 0 is small"),
        (1, "long: buy 0.7; cut from 0.4 to 0.001 by max_exposure 0.001; no order: quantity 0 is small"),
        (-1, "short: sell 0.7; order denied: 1 opening orders in the last hour"),
        (0, "flat: edge too small"),
    )  # fmt: skip
    assert held_back(told, NONE) == (
        "It wanted a position at 3 of 4 closes, and not one order was filled. Most often (2 times): "
        "cut from 0.5 to 0.001 by max_exposure 0.001; no order: quantity 0 is small."
    )


def test_orders_that_never_filled_are_told_without_a_reason():
    assert held_back(decisions((1, "long: buy 0.6")), NONE) == (
        "It wanted a position at 1 of 1 closes, and not one order was filled."
    )


def test_who_traded_or_wanted_nothing_was_not_held_back():
    assert held_back(decisions((1, "long; cut from 1 to 0 by x")), pl.DataFrame({"symbol": ["A"]})) == ""
    assert held_back(decisions((0, "flat")), NONE) == ""
