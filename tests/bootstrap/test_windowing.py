from pathlib import Path

import numpy as np
import pytest
from tests.fakes.candles import make_series
from tests.features.test_days import DAY_MS, QUARTER_MS, SHANGHAI, opens

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.windowing import labels_of, tables_of
from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.features import targets
from triptych.inference import FactorRows
from triptych.settings import load_recipe

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "china" / "sse_composite_000001_15m.parquet"
SMALL = {
    "window.length": 32,
    "features.names": ["return_1", "rsi_14"],
    "features.window": 20,
    "encoding.factors": 2,
    "target.horizon": 32,
}


def grid(**changes):
    return load_recipe("grid", (), SMALL | changes)


@pytest.mark.skipif(not REAL.exists(), reason="the real candles of the SSE Composite are not here")
def test_on_real_candles_every_window_of_train_validation_and_test_ends_at_three_in_shanghai():
    recipe = load_recipe("grid", (), {"data.source": "file", "data.path": str(REAL)})
    dataset = Dataset.of(recipe, bootstrap.load_candles(recipe))
    for fold in dataset.folds:
        for segment in fold.segments:
            samples = dataset.samples(segment)
            assert len(samples) > 20
            assert set((samples.time_ms % DAY_MS).tolist()) == {7 * 3_600_000}
            assert (np.diff(samples.index) >= 2).all()  # one a day
    (table,) = dataset.tables
    (series,) = dataset.series
    fold = dataset.folds[0]
    samples = dataset.samples(fold.train)
    crash = int(np.datetime64("2016-01-29T07:00", "ms").astype(np.int64))  # both short days lie in its 56 days
    end = int(np.flatnonzero(series.close_time_ms == crash)[0])
    window = dataset.windows_at(0, np.array([end]))[0]
    empty = np.flatnonzero(~window.any(axis=1))
    assert len(empty) == 5 + 14
    assert set(empty // 16) == {56 - 20, 56 - 17}  # 2016-01-04 and 2016-01-07 stand in rows of their own
    gathered = dataset.windows(fold.train)
    np.testing.assert_array_equal(
        gathered.values[gathered.starts[0] : gathered.starts[0] + 896].numpy(),
        dataset.windows_at(0, samples.index[:1])[0],
    )
    assert table.known(896).sum() == (table.ends >= 0).sum() - np.count_nonzero(table.ends[: samples.index[0]] >= 0)


def test_a_label_fourteen_days_ahead_is_fourteen_days_ahead_across_a_short_day():
    recipe = grid()
    short = make_series(opens(range(8), without={(3, i) for i in range(4, 16)}))
    found = labels_of(recipe, short)
    last = 2 * 16 - 1  # close of day 1; two days later is the close of day 3, which broke off
    assert found.end[last] == 3 * 16 + 3
    assert found.latest_end[last] == 3 * 16 + 4  # known when the clock has passed: with the next candle
    following = 3 * 16 - 1  # close of day 2
    assert short.open_time_ms[found.end[following]] // DAY_MS == 4
    assert short.close_time_ms[found.end[following]] % DAY_MS == 7 * 3_600_000
    plain = targets.label(short, recipe.target)
    assert plain.end[following] == following + 32  # candles would run into the afternoon of day 5


def test_candles_outside_the_hours_are_refused():
    series = make_series(np.arange(200) * QUARTER_MS)
    with pytest.raises(DataError) as refused:
        labels_of(grid(), series)
    assert str(refused.value) == (
        "BTCUSDT: 166 of 200 candles open outside the trading hours 09:30-11:30, 13:00-15:00 (Asia/Shanghai), the "
        "first at 1970-01-01 00:00:00 UTC. Set features.day.hours and features.day.timezone to those of the venue."
    )


def test_a_window_of_broken_days_is_refused():
    with pytest.raises(RecipeError) as refused:
        tables_of(grid(**{"window.length": 40}), (make_series(opens(range(60))),), {})
    assert str(refused.value) == (
        "A window of 40 candles does not hold whole days of 16. Set window.length to 32, or empty features.day.hours."
    )


def test_too_few_candles_say_how_many_it_takes():
    series = make_series(opens(range(19)))
    warm_up = FactorRows(grid().features).warm_up
    assert warm_up < len(series) < warm_up + 32
    with pytest.raises(NotEnoughData) as refused:
        tables_of(grid(), (series,), {})
    assert str(refused.value) == (
        f"BTCUSDT: 304 candles hold no window of 32 in which every factor is known: they settle after {warm_up}, so "
        f"the first window ends with candle {warm_up + 32}. "
        f"Bring at least {warm_up + 32} candles, or shorten window.length or features.window."
    )


def test_a_companion_that_starts_too_late_is_named_with_its_time():
    recipe = grid(**{"features.companions": ["LATE"], "encoding.channels": 2})
    late = make_series(opens(range(41, 61)), symbol="LATE")
    warm_up = FactorRows(recipe.features).warm_up
    with pytest.raises(NotEnoughData) as refused:
        tables_of(recipe, (make_series(opens(range(61))),), {"LATE": late})
    assert str(refused.value) == (
        "BTCUSDT: its own 976 candles would do, but there is no window of 32 in which the factors of its companions "
        f"are known too; each companion's settle after {warm_up} candles of its own. There are LATE from 1970-02-11 to "
        "1970-03-02 (320 candles). Leave out the companion that starts late or ends early, bring more of its candles, "
        "or shorten window.length or features.window."
    )


def test_without_holding_between_closes_a_recipe_of_whole_days_is_refused():
    with pytest.raises(RecipeError) as refused:
        grid(**{"execution.without_prediction": "flat"})
    assert refused.value.message == (
        "grid: recipe: features.day gives a prediction at a day's close only, and execution.without_prediction = "
        "'flat' would close every position one candle later; set it to 'hold'."
    )


def test_the_embedded_market_is_dealt_out_to_the_hours():
    candles = bootstrap.load_candles(grid(**{"data.synthetic.n_candles": 400}))
    (series,) = candles.series
    assert set((series.close_time_ms[15::16] % DAY_MS).tolist()) == {7 * 3_600_000}
    assert candles.notes == (
        "the candles of the embedded market were dealt out to the trading hours 09:30-11:30, 13:00-15:00",
    )


def test_the_order_by_correlation_is_found_on_the_training_segment_of_each_fold():
    names = ["return_1", "volume_sma_20", "rsi_14", "body"]  # return and body move together
    recipe = grid(**{
        "features.names": names, "encoding.factors": 4, "encoding.order": "correlation",
        "data.synthetic.n_candles": 3200,
    })  # fmt: skip
    dataset = Dataset.of(recipe, bootstrap.load_candles(recipe))
    order = dataset.fitted(dataset.folds[0]).encoding.order
    assert sorted(order) == [0, 1, 2, 3]
    assert abs(order.index(0) - order.index(3)) == 1
    assert SHANGHAI.hours == recipe.features.day.hours
    assert dataset.fitted(dataset.folds[0]).model_copy(update={"encoding": recipe.encoding}) == recipe
