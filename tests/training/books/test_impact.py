import numpy as np
import pytest
from tests.fakes.books import leaning_tape

from triptych.domain.errors import NotEnoughData
from triptych.market.books import BookTape
from triptych.training.books.impact import Config, _judge_curves, buckets_of, flow_impact, walk_impact

QUICK = Config(rows=5, resamples=100)


def deep_tape(n=200, seed=0) -> BookTape:
    """Books whose size grows along the levels so that a market order costs as the square root of its size."""
    random = np.random.default_rng(seed)
    steps = np.arange(40)
    size = (2 * steps + 1.0) * 0.1
    bid = 10_000 + np.cumsum(random.integers(-1, 2, n))
    return BookTape(
        symbol="DEEP", time_ms=100 * np.arange(n, dtype=np.int64),
        bid_prices=(bid[:, None] - steps) / 10, bid_sizes=np.tile(size, (n, 1)),
        ask_prices=(bid[:, None] + 1 + steps) / 10, ask_sizes=np.tile(size, (n, 1)),
    )  # fmt: skip


def test_where_order_flow_moves_the_mid_the_line_finds_it_and_says_so_out_of_sample() -> None:
    tape = deep_tape(1500)
    same, *_ = flow_impact(tape, QUICK)
    # A step up of the book by a tick (0.1 bp of 1,000 is 1 bp) is an order flow of 0.1 + 0.1 at the best level.
    assert same.slope == pytest.approx(1.0 / 0.2, rel=0.02)
    assert same.test_r2.value > 0.99
    assert same.buckets == 120


def test_what_follows_is_not_found_where_the_walk_has_no_memory() -> None:
    _, flow, queue = flow_impact(deep_tape(1500), QUICK)
    assert abs(flow.test_r2.value) < 0.1
    assert queue.test_r2.value < 0.1  # the queue is always balanced here


def test_the_fit_knows_nothing_of_the_test_part() -> None:
    tape, other = deep_tape(1500), deep_tape(1500)
    mixed = np.random.default_rng(9).gamma(2.0, 1.0, other.bid_sizes[900:].shape)
    other.bid_sizes[900:], other.ask_sizes[900:] = mixed, mixed[::-1]
    for a, b in zip(flow_impact(tape, QUICK), flow_impact(other, QUICK), strict=True):
        assert (a.slope, a.intercept, a.train_r2) == (b.slope, b.intercept, b.train_r2)
    for c, d in zip(walk_impact(tape, QUICK), walk_impact(other, QUICK), strict=True):
        assert (c.scale, c.power, c.train_r2) == (d.scale, d.power, d.train_r2)
        assert c.test_r2 != d.test_r2


def test_buckets_never_cross_a_segment() -> None:
    tape = leaning_tape(40)
    tape.segment[23:] = 1
    ends, *_ = buckets_of(tape, 5)
    assert ends.tolist() == [5, 10, 15, 20, 28, 33, 38]


def test_a_book_made_for_the_square_root_gives_the_square_root() -> None:
    free, root, line = walk_impact(deep_tape(), QUICK)
    assert free.power == pytest.approx(0.5, abs=0.05)
    assert root.power == 0.5
    assert root.test_r2.value > 0.99
    assert line.test_r2.value < root.test_r2.value
    assert (free.over_free.low, free.over_free.high) == (0.0, 0.0)
    assert line.over_free.high < 0.0  # told apart


def test_curves_are_told_apart_by_what_they_differ_by_on_the_same_books() -> None:
    """Books that swing between deep and thin: the intervals of both curves are wide, that of the difference narrow."""
    tape = deep_tape(1500)
    swings = np.exp(1.5 * np.sin(np.arange(1500) / 40.0))[:, None]
    tape.bid_sizes[:], tape.ask_sizes[:] = tape.bid_sizes * swings, tape.ask_sizes * swings
    free, _, line = walk_impact(tape, QUICK)
    assert line.test_r2.high > free.test_r2.low  # side by side they look alike
    assert line.over_free.value == pytest.approx(line.test_r2.value - free.test_r2.value)
    assert line.over_free.high - line.over_free.low < line.test_r2.high - line.test_r2.low
    assert free.test_error_bp.low <= free.test_error_bp.value <= free.test_error_bp.high
    assert free.test_error_bp.low >= 0.0


def test_the_figures_of_a_curve_are_those_of_all_books_and_sizes() -> None:
    costs = np.array([[1.0, 2.0], [3.0, np.nan], [2.0, 4.0], [2.0, np.nan]])  # buys of two books, then their sells
    (r2, error, over), (flat, *_) = _judge_curves(costs, [np.array([2.0, 3.0]), np.array([1.0, 1.0])], 1.0, QUICK)
    assert r2.value == pytest.approx(1 - 4 / 16)
    assert error.value == pytest.approx(0.0)  # 2 and 3 on average
    assert (over.value, flat.value) == (0.0, 0.0)


def test_too_few_buckets_are_refused() -> None:
    with pytest.raises(NotEnoughData) as caught:
        flow_impact(leaning_tape(100), QUICK)
    assert str(caught.value) == (
        "Market impact needs 30 buckets of 5 rows in training and in test, there are 11 and 8. Bring a longer "
        "recording or shorten the buckets."
    )
