import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from tests.fakes.market import series_of, walk

from triptych.domain import CandleSeries
from triptych.features.targets import Config, Targets, label, thresholds, trailing_classes

KINDS = [
    Config(kind="direction", horizon=4, threshold="fixed", up=0.01, down=0.005),
    Config(kind="direction", horizon=3, volatility="rolling", volatility_span=10),
    Config(kind="triple_barrier", horizon=6, threshold="fixed", up=0.02, down=0.02),
    Config(kind="triple_barrier", horizon=5, volatility_span=12, up_multiple=1, down_multiple=0.7, vertical="sign"),
]


def closes(*values: float) -> CandleSeries:
    column = np.array(values)
    return series_of(np.column_stack([column] * 4 + [np.ones(len(column))]))


def candles(*rows: tuple[float, float, float, float]) -> CandleSeries:
    return series_of([[*row, 1.0] for row in rows])


def slow_triple_barrier(series: CandleSeries, config: Config) -> tuple[list[int], list[int]]:
    """One candle after the other, as one would explain it."""
    upper, lower = thresholds(series, config)
    classes, ends = [], []
    for t in range(len(series)):
        if t + config.horizon >= len(series) or np.isnan(upper[t]) or np.isnan(lower[t]):
            classes.append(-1)
            ends.append(-1)
            continue
        start = series.close[t]
        ceiling, floor = start * (1 + upper[t]), start * (1 - lower[t])
        found, end = None, t + config.horizon
        for j in range(t + 1, t + config.horizon + 1):
            opening, high, low = series.values[j, :3]
            touches_above, touches_below = high >= ceiling, low <= floor
            if touches_above and touches_below:
                if opening >= ceiling and not opening <= floor:
                    found = 2
                elif opening <= floor and not opening >= ceiling:
                    found = 0
                else:
                    found = 1
            elif touches_above:
                found = 2
            elif touches_below:
                found = 0
            if found is not None:
                end = j
                break
        if found is None:
            last = series.close[t + config.horizon]
            found = 1 if config.vertical == "hold" else 1 + int(np.sign(last - start))
        classes.append(found)
        ends.append(end)
    return classes, ends


def test_direction_compares_the_forward_return_with_both_thresholds():
    config = Config(kind="direction", horizon=2, threshold="fixed", up=0.10, down=0.05)
    # Forward returns: 0.2, 0.0, -0.25, 0.06; then unknown.
    found = label(closes(100, 100, 120, 100, 90, 106), config)
    assert found.classes.tolist() == [2, 1, 0, 1, -1, -1]
    assert found.end.tolist() == [2, 3, 4, 5, -1, -1]
    assert found.latest_end.tolist() == [2, 3, 4, 5, -1, -1]
    np.testing.assert_allclose(found.forward_return, [0.2, 0.0, -0.25, 0.06, np.nan, np.nan], atol=1e-12)
    assert found.classes.dtype == np.int8
    assert found.end.dtype == np.int64


def test_a_return_on_the_threshold_is_hold():
    config = Config(kind="direction", horizon=1, threshold="fixed", up=0.25, down=0.25)
    assert label(closes(4, 5, 3.75), config).classes.tolist() == [1, 1, -1]


def test_volatility_scales_the_threshold_with_the_root_of_the_horizon():
    config = Config(horizon=9, volatility="rolling", volatility_span=2, up_multiple=0.5, down_multiple=2.0)
    upper, lower = thresholds(closes(100, 101, 100, 101), config)
    one = np.log(1.01)
    np.testing.assert_allclose(upper, [np.nan, np.nan, 0.5 * one * 3, 0.5 * one * 3])
    np.testing.assert_allclose(lower, [np.nan, np.nan, 2.0 * one * 3, 2.0 * one * 3])


def test_a_price_that_never_moved_has_no_label():
    config = Config(horizon=1, volatility_span=2)
    assert label(closes(5, 5, 5, 5, 5), config).classes.tolist() == [-1] * 5


def test_a_lower_barrier_below_zero_has_no_label():
    config = Config(horizon=1, volatility="rolling", volatility_span=2, down_multiple=3)
    assert label(closes(1, 2, 1, 2), config).classes.tolist() == [-1] * 4


def test_barrier_touched_inside_a_later_candle_settles_there():
    config = Config(kind="triple_barrier", horizon=3, threshold="fixed", up=0.10, down=0.10)
    rows = [(100, 100, 100, 100), (100, 105, 95, 100), (100, 111, 99, 100), (100, 100, 80, 100)]
    found = label(candles(*rows), config)
    assert found.classes.tolist() == [2, -1, -1, -1]
    assert found.end.tolist() == [2, -1, -1, -1]
    assert found.latest_end.tolist() == [3, -1, -1, -1]
    assert found.forward_return[0] == 0.0


@pytest.mark.parametrize(
    ("opening", "expected"),
    [(100, 1), (112.5, 2), (120, 2), (87.5, 0), (85, 0)],
)
def test_both_barriers_in_one_candle_are_hold_unless_its_open_decides(opening, expected):
    config = Config(kind="triple_barrier", horizon=1, threshold="fixed", up=0.125, down=0.125)
    rows = [(100, 100, 100, 100), (opening, 121, 84, 100)]
    assert label(candles(*rows), config).classes.tolist() == [expected, -1]


@pytest.mark.parametrize(("last", "held", "signed"), [(104, 1, 2), (100, 1, 1), (97, 1, 0)])
def test_the_vertical_barrier_is_hold_or_the_sign(last, held, signed):
    rows = [(100, 100, 100, 100), (100, 104, 97, 100), (100, 104, 97, last)]
    for vertical, expected in (("hold", held), ("sign", signed)):
        config = Config(kind="triple_barrier", horizon=2, threshold="fixed", up=0.1, down=0.1, vertical=vertical)
        found = label(candles(*rows), config)
        assert found.classes[0] == expected
        assert found.end[0] == 2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(0, 60),
    horizon=st.integers(1, 12),
    up=st.floats(0, 0.05),
    down=st.floats(0, 0.05),
    vertical=st.sampled_from(["hold", "sign"]),
)
def test_the_fast_triple_barrier_equals_the_plain_one(seed, n, horizon, up, down, vertical):
    series = walk(n, seed=seed)
    config = Config(kind="triple_barrier", horizon=horizon, threshold="fixed", up=up, down=down, vertical=vertical)
    classes, ends = slow_triple_barrier(series, config)
    found = label(series, config)
    assert found.classes.tolist() == classes
    assert found.end.tolist() == ends


@pytest.mark.parametrize("config", KINDS, ids=lambda c: f"{c.kind}-{c.threshold}")
@pytest.mark.parametrize("cut", [0, 3, 15, 40, 97, 149])
def test_a_label_known_at_a_cut_never_changes_and_no_other_is_known(config, cut):
    series = walk(150, seed=8)
    full, short = label(series, config), label(series.head(cut), config)
    knowable = (full.classes[:cut] >= 0) & (full.latest_end[:cut] < cut)
    assert_array_equal(short.classes >= 0, knowable)
    for name in ("classes", "end", "latest_end", "forward_return"):
        assert_array_equal(getattr(short, name)[knowable], getattr(full, name)[:cut][knowable])


@pytest.mark.parametrize("config", KINDS, ids=lambda c: f"{c.kind}-{c.threshold}")
def test_unknown_is_marked_in_every_field(config):
    found = label(walk(80, seed=2), config)
    unknown = found.classes == -1
    assert unknown.any()
    assert (found.end[unknown] == -1).all()
    assert (found.latest_end[unknown] == -1).all()
    assert np.isnan(found.forward_return[unknown]).all()
    known = ~unknown
    start = np.arange(80)[known]
    assert (found.end[known] > start).all()
    assert (found.end[known] <= found.latest_end[known]).all()
    assert_array_equal(found.latest_end[known], start + config.horizon)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_history_too_short_for_any_label_is_unknown_throughout(n):
    found = label(walk(n), Config(horizon=4, threshold="fixed"))
    assert isinstance(found, Targets)
    assert found.classes.tolist() == [-1] * n


def test_trailing_class_is_that_of_the_return_just_ended():
    config = Config(horizon=2, threshold="fixed", up=0.10, down=0.05)
    # Returns over two candles: unknown, unknown, 0.2, 0.0, -0.25.
    assert trailing_classes(closes(100, 100, 120, 100, 90), config).tolist() == [-1, -1, 2, 1, 0]


def test_trailing_class_needs_no_future():
    series, config = walk(120, seed=3), Config(horizon=5, volatility_span=20)
    assert_array_equal(trailing_classes(series.head(70), config), trailing_classes(series, config)[:70])


def test_a_trailing_class_is_unknown_on_a_history_shorter_than_the_horizon():
    assert trailing_classes(closes(1, 2), Config(horizon=4, threshold="fixed")).tolist() == [-1, -1]
