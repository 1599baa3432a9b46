import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.market.books import BookTape
from triptych.market.books.walking import walk_cost


def tape():
    return BookTape(
        symbol="T", time_ms=np.array([0], dtype=np.int64), bid_prices=np.array([[99.0, 98.0]]),
        bid_sizes=np.array([[1.0, 2.0]]), ask_prices=np.array([[101.0, 103.0]]), ask_sizes=np.array([[2.0, 2.0]]),
    )  # fmt: skip


def test_an_order_takes_level_by_level_and_costs_against_the_mid() -> None:
    # mid 100: two at 101 and one at 103 cost (1 + 1 + 3) / 3 % of it.
    assert walk_cost(tape(), np.array([1.0, 3.0, 4.0]), 1)[0] == pytest.approx([100.0, 500 / 3, 200.0])
    assert walk_cost(tape(), np.array([1.0, 3.0]), -1)[0] == pytest.approx([100.0, 500 / 3])


def test_an_order_that_the_known_levels_do_not_fill_has_no_cost() -> None:
    assert np.isnan(walk_cost(tape(), np.array([4.1]), 1)[0, 0])
    assert np.isnan(walk_cost(tape(), np.array([3.1]), -1)[0, 0])


def test_an_order_of_no_size_is_refused() -> None:
    with pytest.raises(DataError, match=r"^Sizes of market orders must be above 0\. Leave out the others\.$"):
        walk_cost(tape(), np.array([0.0]), 1)
