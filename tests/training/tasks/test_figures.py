import numpy as np
import pytest
from tests.fakes.windows import candles_of

from triptych.domain import Timeframe
from triptych.features import targets
from triptych.training.samples import Samples
from triptych.training.tasks.figures import baselines_of, figure_of, log_volatility_ahead

SERIES = candles_of(1_200, seed=4)
TARGETS = targets.label(SERIES, targets.Config(horizon=6, volatility_span=20))


def samples(first: int, stop: int) -> Samples:
    index = np.arange(first, stop)
    return Samples(
        instrument=np.zeros(len(index), dtype=np.int64), index=index, label=TARGETS.classes[index].astype(np.int64),
        time_ms=SERIES.close_time_ms[index], end_ms=SERIES.close_time_ms[index + 6], uniqueness=np.ones(len(index)),
    )  # fmt: skip


def test_volatility_ahead_is_the_root_of_the_squared_returns_that_follow():
    returns = np.diff(np.log(SERIES.close))
    expected = np.log(np.sqrt((returns[100:106] ** 2).sum()))
    assert log_volatility_ahead(SERIES, 6)[100] == pytest.approx(expected)
    assert np.isnan(log_volatility_ahead(SERIES, 6)[-6:]).all()


def test_figures_are_known_where_labels_are():
    assert np.array_equal(figure_of("size", SERIES, TARGETS), TARGETS.forward_return, equal_nan=True)
    assert np.array_equal(np.isfinite(figure_of("volatility", SERIES, TARGETS)), TARGETS.classes >= 0)


@pytest.mark.parametrize("task", ["size", "volatility"])
def test_rules_know_only_what_had_happened(task):
    """Later candles changed: what the rules say of earlier ones stays the same to the last bit."""
    train, test = samples(200, 700), samples(710, 900)
    other = candles_of(1_200, seed=9)
    values = SERIES.values.copy()
    values[910:] = other.values[910:]
    changed = type(SERIES)(
        instrument=SERIES.instrument, timeframe=SERIES.timeframe, open_time_ms=SERIES.open_time_ms, values=values
    )
    ours = baselines_of(task, [SERIES], [TARGETS], train, test, span=20)
    relabelled = targets.label(changed, targets.Config(horizon=6, volatility_span=20))
    theirs = baselines_of(task, [changed], [relabelled], train, test, span=20)
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
        assert np.isfinite(ours[name]).all()


def test_the_heterogeneous_autoregression_finds_volatility_that_comes_in_clusters():
    random = np.random.default_rng(0)
    level = np.zeros(4_000)
    for t in range(1, 4_000):
        level[t] = 0.98 * level[t - 1] + random.normal(0, 0.2)
    close = 100 * np.exp(np.cumsum(np.exp(level) * 1e-3 * random.normal(size=4_000)))
    values = np.column_stack([close, close * 1.0001, close * 0.9999, close, np.ones(4_000)])
    base = candles_of(4_000)
    series = type(base)(
        instrument=base.instrument, timeframe=base.timeframe, open_time_ms=base.open_time_ms, values=values
    )
    labels = targets.label(series, targets.Config(horizon=6, volatility_span=20))
    figure = figure_of("volatility", series, labels)

    def part(first, stop):
        index = np.arange(first, stop)
        return Samples(
            instrument=np.zeros(len(index), dtype=np.int64), index=index, label=labels.classes[index].astype(np.int64),
            time_ms=series.close_time_ms[index], end_ms=series.close_time_ms[index + 6],
            uniqueness=np.ones(len(index)),
        )  # fmt: skip

    test = part(2_600, 3_900)
    rules = baselines_of("volatility", [series], [labels], part(200, 2_500), test, span=20)
    actual = figure[test.index]
    spread = np.mean((actual - actual.mean()) ** 2)
    assert np.mean((rules["har"] - actual) ** 2) < 0.6 * spread
    assert np.mean((rules["ewma"] - actual) ** 2) < 0.7 * spread


def of_a_session_market():
    """Hours of weekdays from 14 to 21, as of shares: each day's candles follow those of the day before at once."""
    hours = np.arange(24 * 400)
    open_ms = (hours * 3_600_000)[(hours % 24 >= 14) & (hours % 24 < 21) & ((hours // 24 + 3) % 7 < 5)]
    around = candles_of(len(open_ms), seed=3)
    return type(around)(
        instrument=around.instrument, timeframe=Timeframe.parse("1h"), open_time_ms=open_ms, values=around.values
    )


def in_parts(series, labels):
    known = np.flatnonzero(labels.classes >= 0)

    def part(index):
        return Samples(
            instrument=np.zeros(len(index), dtype=np.int64), index=index, label=labels.classes[index].astype(np.int64),
            time_ms=series.close_time_ms[index], end_ms=series.close_time_ms[labels.latest_end[index]],
            uniqueness=np.ones(len(index)),
        )  # fmt: skip

    return part(known[:1_000]), part(known[1_020:])


def test_rules_count_candles_where_nights_and_weekends_are_left_out():
    """The same candles around the clock: rules that read no clock say the same of them."""
    series = of_a_session_market()
    labels = targets.label(series, targets.Config(horizon=12, volatility_span=20))
    train, test = in_parts(series, labels)
    again = baselines_of("size", [series], [labels], train, test, span=20)["persistence"]
    assert np.allclose(again, series.close[test.index] / series.close[test.index - 12] - 1.0)

    gapless = type(series)(
        instrument=series.instrument, timeframe=series.timeframe, values=series.values,
        open_time_ms=np.arange(len(series)) * 3_600_000,
    )  # fmt: skip
    same = in_parts(gapless, labels)
    ours = baselines_of("volatility", [series], [labels], train, test, span=20)
    theirs = baselines_of("volatility", [gapless], [labels], *same, span=20)
    assert np.array_equal(ours["har"], theirs["har"])
    assert np.array_equal(ours["ewma"], theirs["ewma"])


def test_persistence_of_a_triple_barrier_looks_back_as_far_as_its_median_label_lived():
    series = of_a_session_market()
    barrier = targets.Config(kind="triple_barrier", horizon=12, up_multiple=0.5, down_multiple=0.5, volatility_span=20)
    labels = targets.label(series, barrier)
    train, test = in_parts(series, labels)
    lived = int(np.median(labels.end[train.index] - train.index))
    assert 1 <= lived < 12
    again = baselines_of("size", [series], [labels], train, test, span=20)["persistence"]
    assert np.allclose(again, series.close[test.index] / series.close[test.index - lived] - 1.0)
