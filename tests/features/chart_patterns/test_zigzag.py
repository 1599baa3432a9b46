import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.features.chart_patterns.zigzag import KEPT, ZigZag

PRICE = st.integers(1, 40)
CANDLE = st.tuples(PRICE, PRICE, st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0, 3.0, 9.0]))
CANDLES = st.lists(CANDLE, min_size=1, max_size=60)
"""Two prices, where between them the candle closes, and the ATR, which may jump: few numbers, so many are equal."""


def rows(candles):
    for a, b, share, atr in candles:
        low, high = float(min(a, b)), float(max(a, b))
        yield high, low, low + share * (high - low), atr


def pivots_of(candles, scale=1.0):
    """All pivots with their kinds and the candle that confirmed each; the zigzag itself keeps only the last."""
    zigzag, told = ZigZag(scale), []
    for index, row in enumerate(rows(candles)):
        count = zigzag.update(index, *row)
        for back in reversed(range(count)):
            top = zigzag.last_is_top == (back % 2 == 0)
            told.append((*zigzag.pivots[len(zigzag.pivots) - 1 - back], top, index))
    assert list(zigzag.pivots) == [(at, price) for at, price, _, _ in told][-KEPT:]
    return told


@given(candles=CANDLES)
@settings(max_examples=150, deadline=None)
def test_every_pivot_is_the_extreme_between_its_neighbours(candles):
    high, low, _, _ = np.array(list(rows(candles))).T
    told = pivots_of(candles)
    for number, (at, price, top, known) in enumerate(told):
        assert price == (high if top else low)[at]
        assert at <= known
        first = told[number - 1][0] + 1 if number else 0
        last = told[number + 1][0] if number + 1 < len(told) else known + 1
        between = (high if top else low)[first:last]
        assert price == (between.max() if top else between.min())
        if number:
            assert at > told[number - 1][0]
            assert top != told[number - 1][2]
            assert known >= told[number - 1][3]


@given(candles=CANDLES, cut=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_a_pivot_is_told_whatever_follows(candles, cut):
    assert pivots_of(candles[:cut]) == [one for one in pivots_of(candles) if one[3] < cut]


@given(candles=CANDLES)
@settings(max_examples=60, deadline=None)
def test_upside_down_tops_are_bottoms(candles):
    turned = [(41 - a, 41 - b, 1 - share, atr) for a, b, share, atr in candles]
    expected = [(at, 41 - price, not top, known) for at, price, top, known in pivots_of(candles)]
    assert [(at, price, top, known) for at, price, top, known in pivots_of(turned)] == expected


def told(*rows, scale=1.0):
    zigzag = ZigZag(scale)
    counts = [zigzag.update(index, *(float(x) for x in row)) for index, row in enumerate(rows)]
    return counts, list(zigzag.pivots), zigzag.last_is_top


RISE = ((10, 10, 10, 4), (20, 15, 20, 4))
"""High, low, close, ATR of candles that confirm a bottom at 10; the top stands at 20."""


def test_a_low_before_the_confirming_candle_is_the_extreme_of_the_next_leg():
    # Candle 2 goes back by 5 of 6 to its low at 15; candle 3 has an ATR of 4, of which that was a turn; candle 4 rises.
    counts, pivots, _ = told(*RISE, (18, 15, 16, 6), (18, 16, 17, 4), (19, 17, 18, 4))
    assert counts == [0, 1, 0, 1, 1]
    assert pivots == [(0, 10.0), (1, 20.0), (2, 15.0)]


def test_a_candle_that_reaches_a_new_extreme_and_closes_far_from_it_has_turned():
    counts, pivots, last_is_top = told(*RISE, (25, 19, 21, 4), (22, 20, 21, 4))
    assert counts == [0, 1, 1, 0]
    assert (pivots[-1], last_is_top) == ((2, 25.0), True)


def test_a_candle_that_reaches_a_new_extreme_and_closes_near_it_has_not():
    counts, pivots, _ = told(*RISE, (25, 19, 22, 4))
    assert counts == [0, 1, 0]
    assert pivots == [(0, 10.0)]


def test_a_leg_that_is_undone_ends_however_large_the_atr_has_become():
    counts, pivots, _ = told(*RISE, (18, 12, 12, 50), (13, 9, 9, 50))
    assert counts == [0, 1, 0, 1]
    assert pivots == [(0, 10.0), (1, 20.0)]


def test_a_candle_beyond_both_ends_of_a_leg_ends_it_twice():
    counts, pivots, last_is_top = told(*RISE, (22, 8, 21, 4), (23, 21, 22, 4))
    assert counts == [0, 1, 2, 0]
    assert (pivots, last_is_top) == ([(0, 10.0), (1, 20.0), (2, 8.0)], False)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_nothing_is_confirmed_while_the_price_stands_still(scale):
    assert told(*[(10, 10, 10, 0)] * 30, scale=scale)[1] == []


def test_a_falling_market_begins_with_a_top():
    counts, pivots, last_is_top = told((10, 9, 9, 2), (9, 6, 6, 2))
    assert (counts, pivots, last_is_top) == ([0, 1], [(0, 10.0)], True)
