import numpy as np
import pytest
from tests.features.chart_patterns import plain
from tests.features.chart_patterns.drawn import legs, mirrored
from tests.features.markets import random_walk

from triptych.domain.errors import DataError
from triptych.features.chart_patterns import PAPER_PATTERNS, PaperConfig, find_paper_patterns
from triptych.features.chart_patterns.kernel import CHOICES, SMALLEST, KernelExtrema

DRAWN = {
    "head_and_shoulders": ((12, 100.0), (16, 97.0), (21, 104.0), (26, 97.5), (30, 100.8)),
    "broadening_top": ((10, 100.0), (15, 98.0), (20, 102.0), (25, 96.0), (30, 105.0)),
    "triangle_top": ((10, 106.0), (15, 96.0), (20, 103.0), (25, 98.0), (30, 101.0)),
    "rectangle_top": ((10, 100.0), (15, 97.0), (20, 100.4), (25, 97.3), (30, 100.1)),
    "double_top": ((5, 100.0), (16, 92.0), (30, 101.0)),
}
MIRROR = {
    "head_and_shoulders": "inverse_head_and_shoulders",
    "broadening_top": "broadening_bottom",
    "triangle_top": "triangle_bottom",
    "rectangle_top": "rectangle_bottom",
    "double_top": "double_bottom",
}
END = 40
"""Candle of the last extremum, ten later than written in the drawings, so that a whole window ends after it."""


def drawn(points):
    late = [(at + END - 30, price) for at, price in points]
    return legs((0, 90.0), *late, (END + 5, 94.0), (END + 14, 93.0))


N = 170


def market(name):
    values, _ = random_walk(N, seed=17)
    if name == "ticks":  # prices that stand still, so that slopes are 0
        values[:, :4] = np.round(values[:, :4] / 0.5) * 0.5
        values[:, 3] = np.where(np.arange(N) % 5 < 2, values[np.arange(N) // 5 * 5, 3], values[:, 3])
        values[:, 1], values[:, 2] = values[:, :4].max(axis=1), values[:, :4].min(axis=1)
    if name == "calm":
        values[:, :4] = 100.0 * (values[:, :4] / values[0, 3]) ** 0.4
    if name == "waves":
        wave = 3.0 * np.sin(np.arange(N) / 3.5) + 1.5 * np.sin(np.arange(N) / 9.1)
        values[:, :4] = 100.0 + wave[:, None] + 0.05 * (values[:, :4] / values[0, 3] - 1.0)
    return values


@pytest.mark.parametrize("name", ["walk", "ticks", "calm", "waves"])
def test_patterns_are_those_of_the_plain_reference(name):
    values = market(name)
    told = {(d.pattern, d.end, d.known_at) for d in find_paper_patterns(values)}
    assert told == plain.patterns(values[:, 3])
    assert len(told) >= 5


def test_the_references_markets_hold_all_ten():
    seen = {d.pattern for name in ("walk", "ticks", "calm", "waves") for d in find_paper_patterns(market(name))}
    assert seen == set(PAPER_PATTERNS)


@pytest.mark.parametrize("length", [12, 38])
def test_extrema_and_bandwidths_are_those_of_the_plain_reference(length):
    ours, choices = KernelExtrema(length, 0.3), np.geomspace(SMALLEST, length / 2, CHOICES)
    used = set()
    for name in ("walk", "ticks", "waves"):
        close = market(name)[:, 3]
        for start in range(0, N - 38, 23):
            window = close[start : start + length]
            positions, tops = ours.find(window)
            found = list(zip(positions.tolist(), tops.tolist(), strict=True))
            assert found == plain.extrema(window, 0.3, choices)
            used.add(ours.bandwidth(window))
            assert ours.bandwidth(window) == pytest.approx(0.3 * plain.best(window, choices))
    assert min(used) < 0.3 < max(used)


@pytest.mark.parametrize("name", DRAWN)
def test_a_pattern_drawn_by_hand_is_told_when_its_last_extremum_is_three_candles_old(name):
    values = drawn(DRAWN[name])
    one = next(d for d in find_paper_patterns(values) if d.pattern == name and d.end == END)
    assert [point.index for point in one.key_points] == [at + END - 30 for at, _ in DRAWN[name]]
    assert [point.price for point in one.key_points] == pytest.approx([price for _, price in DRAWN[name]])
    assert (one.known_at, one.score, one.side) == (END + 3, 1.0, PAPER_PATTERNS[name])
    assert any(d.pattern == MIRROR[name] and d.end == END for d in find_paper_patterns(mirrored(values)))


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("head_and_shoulders", ((12, 100.0), (16, 97.0), (21, 104.0), (26, 97.5), (30, 103.2))),  # 1.57 % apart
        ("head_and_shoulders", ((12, 100.0), (16, 94.0), (21, 104.0), (26, 97.5), (30, 100.8))),
        ("head_and_shoulders", ((12, 100.0), (16, 97.0), (21, 100.5), (26, 97.5), (30, 100.8))),
        ("rectangle_top", ((10, 100.0), (15, 97.0), (20, 102.0), (25, 97.3), (30, 100.1))),
        ("double_top", ((5, 100.0), (16, 92.0), (30, 103.2))),
        ("double_top", ((9, 100.0), (16, 92.0), (30, 101.0))),  # 21 candles apart
        ("double_top", ((5, 100.0), (10, 95.0), (17, 103.0), (24, 92.0), (30, 101.0))),  # a higher one between
    ],
)
def test_beyond_the_papers_numbers_there_is_none(name, points):
    found = find_paper_patterns(drawn(points))
    assert not any(d.pattern == name and d.end == END for d in found)


@pytest.mark.parametrize("cut", [39, 77, 121, 169])
def test_no_detection_peeks(cut):
    values = market("walk")
    whole = find_paper_patterns(values)
    assert find_paper_patterns(values[:cut]) == tuple(d for d in whole if d.known_at < cut)


def test_a_window_that_is_too_short_tells_nothing():
    assert find_paper_patterns(market("walk")[:37]) == ()
    assert find_paper_patterns(market("walk")[:60], PaperConfig(length=80)) == ()


def test_what_are_no_candles_is_refused():
    with pytest.raises(DataError) as refused:
        find_paper_patterns(np.zeros((40, 5)))
    assert str(refused.value) == (
        "Expected candles of shape (n_candles, 5) with prices above zero, was an array of shape (40, 5). "
        "Feed open, high, low, close and volume of closed candles, without NaN."
    )
