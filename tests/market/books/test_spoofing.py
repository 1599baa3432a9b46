from dataclasses import replace

import numpy as np
import pytest

from triptych.market.books import BookTape, Trades
from triptych.market.books.spoofing import LAYER, Config, find_spoofing
from triptych.market.synthetic.spoofing import Config as StreamConfig
from triptych.market.synthetic.spoofing import simulate_spoofing

CONFIG = Config(walls=LAYER.model_copy(update={"warm_up": 5, "usual_rows": 50}), threshold=1e-6)


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


@pytest.mark.parametrize("becomes", ["filled", "pulled"])
def test_a_wall_of_the_other_side_that_was_filled_is_the_spoofers_own_and_does_not_count(becomes) -> None:
    tape = still()
    tape.bid_sizes[100:115, 3:6] = 10.0
    tape.ask_sizes[100:115, 0 if becomes == "filled" else 4] = 16.0
    (alarm,) = (one for one in find_spoofing(tape, bought(range(100, 116)), CONFIG) if one.side == 1)
    assert alarm.marks["one-sidedness"] == pytest.approx(1.0 if becomes == "filled" else 2 / 3)


def test_the_spoofers_own_order_stands_in_the_simulated_book_until_it_is_filled_by_trades() -> None:
    made, without = (simulate_spoofing(StreamConfig(seed=3, episodes=20, own=own)) for own in (8.0, 0.0))
    spoofed = [one for one in made.episodes if one.kind == "spoofing"]
    assert len(spoofed) > 3
    assert made.episodes == without.episodes
    for one in spoofed:
        prices, sizes = (
            (made.tape.ask_prices, made.tape.ask_sizes)
            if one.side == 1
            else (made.tape.bid_prices, made.tape.bid_sizes)
        )
        rows = slice(one.first, one.last + 2)
        assert (prices[rows, 0] == prices[one.first, 0]).all()  # nothing goes through it
        time = made.tape.time_ms
        eaten = (made.trades.side == one.side) & (made.trades.time_ms > time[one.first])
        eaten &= made.trades.time_ms < time[one.last + 1]
        assert (made.trades.price[eaten] == prices[one.first, 0]).all()
        # All of it was traded: what is gone from the touch, but for the noise of its own level.
        gone = sizes[one.first, 0] - sizes[one.last + 1, 0]
        assert made.trades.size[eaten].sum() == pytest.approx(gone, abs=12.0)
        assert sizes[one.first, 0] > sizes[one.last + 1, 0]


def test_trades_of_a_time_without_books_are_no_usual_rate() -> None:
    """Buyers who came before the recording of the books began, or while it was torn, say nothing of its rows."""
    tape = still()
    tape.bid_sizes[100:115, 3:6] = 10.0
    trades = bought(range(100, 115))
    (alone,) = find_spoofing(tape, trades, CONFIG)

    def beside(time_ms: int) -> Trades:
        """The same trades with a large one at this time."""
        time = np.append(trades.time_ms, time_ms)
        order = np.argsort(time, kind="stable")
        size, price = np.append(trades.size, 1_000.0), np.full(len(time), 1001.0)
        return Trades(symbol="T", time_ms=time[order], price=price, size=size[order], side=np.ones(len(time), np.int8))

    assert find_spoofing(tape, beside(-50_000), CONFIG) == (alone,)
    # Half a minute without books before row 60, and the trade in it.
    torn = replace(
        tape, time_ms=tape.time_ms + np.where(np.arange(200) >= 60, 30_000, 0),
        segment=(np.arange(200) >= 60).astype(np.int64),
    )  # fmt: skip
    later = np.where(trades.time_ms >= 6_000, trades.time_ms + 30_000, trades.time_ms)
    trades = replace(trades, time_ms=later)
    (parted,) = find_spoofing(torn, trades, CONFIG)
    assert find_spoofing(torn, beside(20_000), CONFIG) == (parted,)
    # A trade within the time of a row before them counts.
    assert find_spoofing(torn, beside(38_050), CONFIG) == ()


def test_a_single_wall_has_a_third_of_the_layers() -> None:
    tape = still()
    tape.bid_sizes[100:115, 4] = 10.0
    (alarm,) = find_spoofing(tape, bought(range(100, 115)), CONFIG)
    assert alarm.marks["layers"] == pytest.approx(1 / 3)
    assert alarm.score == pytest.approx(1 / 3)
