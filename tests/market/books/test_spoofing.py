import numpy as np
import pytest

from triptych.market.books import BookTape, Trades
from triptych.market.books.spoofing import Config, find_spoofing
from triptych.market.books.walls import Config as WallsConfig

CONFIG = Config(walls=WallsConfig(multiple=4.0, warm_up=5, usual_rows=50), threshold=1e-6)


def still(n=200, levels=8):
    steps = np.arange(levels)
    return BookTape(
        symbol="T", time_ms=100 * np.arange(n, dtype=np.int64), bid_prices=np.tile(1000.0 - steps, (n, 1)),
        bid_sizes=np.ones((n, levels)), ask_prices=np.tile(1001.0 + steps, (n, 1)), ask_sizes=np.ones((n, levels)),
    )  # fmt: skip


def bought(rows, usual=range(0, 100, 5)):
    """A buyer's trade of size 1 every fifth row of the first hundred, and in these rows."""
    time = np.sort(100 * np.array([*usual, *rows], dtype=np.int64))
    n = len(time)
    return Trades(symbol="T", time_ms=time, price=np.full(n, 1001.0), size=np.ones(n), side=np.ones(n, dtype=np.int8))


def test_layered_bids_that_vanish_after_buyers_came_are_an_alarm_with_all_marks() -> None:
    tape = still()
    tape.bid_sizes[100:115, 3:6] = 10.0
    (alarm,) = find_spoofing(tape, bought(range(100, 115)), CONFIG)
    assert (alarm.side, alarm.walls, alarm.low, alarm.high) == (1, 3, 995.0, 997.0)
    assert (alarm.first, alarm.last, alarm.known_at) == (100, 114, 117)
    assert alarm.marks == {"layers": 1.0, "away": 1.0, "haste": 1.0, "lure": 1.0, "one-sidedness": 1.0}
    assert alarm.score == 1.0


@pytest.mark.parametrize(
    ("change", "mark"),
    [("no buyers", "lure"), ("both sides", "one-sidedness"), ("very long", "haste"), ("at the touch", "away")],
)
def test_without_one_of_the_marks_there_is_no_alarm(change, mark) -> None:
    tape, rows = still(), range(100, 115)
    first = 40 if change == "very long" else 100
    levels = slice(0, 3) if change == "at the touch" else slice(3, 6)
    tape.bid_sizes[first:115, levels] = 10.0
    if change == "both sides":
        tape.ask_sizes[100:115, levels] = 10.0
    trades = bought(
        range(0) if change == "no buyers" else rows, range(0, 30, 5) if change == "very long" else range(0, 100, 5)
    )
    loose = find_spoofing(tape, trades, CONFIG.model_copy(update={"threshold": 0.5}))
    assert [one for one in loose if one.marks[mark] == 1.0] == []


def test_a_single_wall_has_a_third_of_the_layers() -> None:
    tape = still()
    tape.bid_sizes[100:115, 4] = 10.0
    (alarm,) = find_spoofing(tape, bought(range(100, 115)), CONFIG)
    assert alarm.marks["layers"] == pytest.approx(1 / 3)
    assert alarm.score == pytest.approx(1 / 3)
