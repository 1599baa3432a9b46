from dataclasses import replace

import numpy as np
import pytest

from triptych.market.books import BookTape, Trades
from triptych.market.books.walls import Config, find_walls, usual_by_place, usual_size

CONFIG = Config(multiple=5.0, warm_up=5, usual_rows=20)


def still_tape(n=60, levels=6):
    steps = np.arange(levels)
    return BookTape(
        symbol="T", time_ms=100 * np.arange(n, dtype=np.int64), bid_prices=np.tile((1000.0 - steps), (n, 1)),
        bid_sizes=np.ones((n, levels)), ask_prices=np.tile((1001.0 + steps), (n, 1)), ask_sizes=np.ones((n, levels)),
    )  # fmt: skip


def test_a_wall_away_from_the_touch_that_vanishes_was_pulled() -> None:
    tape = still_tape()
    tape.bid_sizes[20:32, 3] = 9.0
    (wall,) = find_walls(tape, CONFIG)
    assert (wall.side, wall.price, wall.size, wall.multiple) == (1, 997.0, 9.0, 9.0)
    assert (wall.first, wall.last, wall.known_at, wall.rows, wall.distance) == (20, 31, 32, 12, 3)
    assert wall.ending == "pulled"


def test_a_wall_that_the_touch_reached_and_ate_was_filled() -> None:
    tape = still_tape()
    tape.ask_sizes[20:50, 2] = 9.0
    tape.ask_prices[40:] += 2.0  # the two levels before it are gone, the wall is the best ask
    tape.ask_sizes[40:50, 0], tape.ask_sizes[40:50, 2] = [9.0, 8, 7, 6, 5, 4, 3, 2, 1, 1], 1.0
    (wall,) = find_walls(tape, CONFIG)
    assert (wall.side, wall.price, wall.ending) == (-1, 1003.0, "filled")
    assert (wall.first, wall.last, wall.known_at, wall.last_distance) == (20, 44, 45, 0)


def test_trades_tell_a_wall_that_was_filled_at_the_touch_from_one_that_was_pulled_there() -> None:
    tape = still_tape()
    tape.bid_sizes[20:30, 0] = 9.0

    def trades(price):
        return Trades(
            symbol="T", time_ms=np.array([2_500, 2_950], dtype=np.int64), price=np.full(2, price),
            size=np.array([3.0, 5.0]), side=np.array([-1, -1], dtype=np.int8),
        )  # fmt: skip

    (filled,) = find_walls(tape, CONFIG, trades=trades(1000.0))
    (pulled,) = find_walls(tape, CONFIG, trades=trades(1001.0))
    assert (filled.ending, filled.filled_size) == ("filled", 8.0)
    assert (pulled.ending, pulled.filled_size) == ("pulled", 0.0)


def test_a_wall_behind_the_last_known_level_is_out_of_sight_and_one_at_the_end_is_cut_off() -> None:
    tape = still_tape()
    tape.bid_sizes[20:40, 5] = 9.0
    tape.bid_prices[40:] += 0.5
    tape.bid_sizes[50:, 1] = 9.0
    gone, cut = find_walls(tape, CONFIG)
    assert (gone.price, gone.ending) == (995.0, "out of sight")
    assert (cut.price, cut.ending, cut.known_at) == (999.5, "cut off", 59)


@pytest.mark.parametrize("usual", ["place", "side"])
def test_a_gap_cuts_a_wall_off_and_what_is_usual_begins_anew(usual) -> None:
    tape = still_tape()
    tape.bid_sizes[20:, 3] = 9.0
    tape.bid_sizes[30:36, 3] = 1.0
    broken = replace(tape, segment=(np.arange(60) >= 30).astype(np.int64))
    first, second = find_walls(broken, CONFIG.model_copy(update={"usual": usual}))
    assert (first.last, first.ending) == (29, "cut off")
    assert second.first == 36
    # In the first five rows of the new stretch nothing is named. What stands from its beginning is usual at its place.
    tape.bid_sizes[30:, 3] = 9.0
    later = [wall.first for wall in find_walls(broken, CONFIG.model_copy(update={"usual": usual}))][1:]
    assert later == ([] if usual == "place" else [35])


def test_the_touch_that_is_always_large_is_a_wall_by_the_median_level_and_none_by_its_place() -> None:
    tape = still_tape()
    tape.bid_sizes[:, 0] = 20.0
    tape.bid_prices[30:] -= 1.0  # a step down and back: the order behind the touch becomes the touch
    tape.bid_prices[40:] += 1.0
    tape.bid_sizes[40:, 1] = 20.0  # and stays behind it when the price comes back
    tape.bid_sizes[25:30, 4] = 9.0
    assert [(wall.first, wall.price) for wall in find_walls(tape, CONFIG)] == [(25, 996.0)]
    by_side = find_walls(tape, CONFIG.model_copy(update={"usual": "side"}))
    assert {wall.price for wall in by_side} >= {1000.0, 999.0, 996.0}
    # Twice as much as usual is a wall there as well, if twice is what is asked for.
    tape.bid_sizes[50:, 0] = 45.0
    assert (50, 1000.0) in {(wall.first, wall.price) for wall in find_walls(tape, Config(multiple=2.0, warm_up=5))}


def test_walls_near_one_another_on_one_side_are_one_cluster() -> None:
    tape = still_tape()
    tape.bid_sizes[20:40, 2] = tape.bid_sizes[22:40, 3] = 12.0
    tape.ask_sizes[20:40, 2] = 9.0
    clusters = {(wall.side, wall.price): wall.cluster for wall in find_walls(tape, Config(warm_up=5, cluster_bp=15.0))}
    assert clusters == {(1, 998.0): 0, (1, 997.0): 0, (-1, 1003.0): 1}
    apart = {wall.cluster for wall in find_walls(tape, Config(warm_up=5, cluster_bp=5.0))}
    assert apart == {0, 2, 1}


def test_what_is_usual_comes_from_the_rows_before_and_large_orders_hardly_move_it() -> None:
    sizes = np.ones((10, 5))
    sizes[4, 0], sizes[6:] = 100.0, 3.0
    found = usual_size(sizes, np.zeros(10, dtype=np.int64), 4)
    assert np.isnan(found[0])
    assert found[1:].tolist() == pytest.approx([1, 1, 1, 1, 1, 1, 1.5, 2.0, 2.5])


def test_what_is_usual_at_a_place_is_the_mean_of_it_or_of_one_beside_it() -> None:
    past = np.tile([20.0, 1.0, 1.0, 2.0, np.nan], (4, 1))
    past[1, 2], past[2, 3] = np.nan, 6.0  # no level there; an order came and went
    assert usual_by_place(past).tolist() == [20.0, 20.0, 3.0, 3.0, 3.0]
    assert np.isnan(usual_by_place(past[:0])).all()


def test_a_wall_does_not_hide_the_one_that_comes_after_it() -> None:
    tape = still_tape()
    tape.bid_sizes[20:, 2], tape.bid_sizes[25:, 3] = 9.0, 9.0
    tape.bid_sizes[50:, 2] = 1.0
    # By then half of a wall is usual there and beside it: 2.5 of 1, and 3.4 where the second one stands.
    tape.bid_sizes[55:, 2] = 17.0
    assert sorted(wall.first for wall in find_walls(tape, CONFIG)) == [20, 25]
    tape.bid_sizes[55:, 2] = 18.0
    assert sorted(wall.first for wall in find_walls(tape, CONFIG)) == [20, 25, 55]
