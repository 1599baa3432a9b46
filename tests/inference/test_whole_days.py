"""Windows of whole trading days: the same in training, in a backtest and live, whatever days were short."""

import numpy as np
import polars as pl
import pytest
from tests.fakes.candles import make_series
from tests.features.test_days import DAY_MS, QUARTER_MS, SHANGHAI, opens
from tests.inference.test_factors import View

from triptych.bootstrap.predicting import _predict_one
from triptych.domain.errors import RecipeError
from triptych.inference.base import AbstractPredictor
from triptych.inference.factors import FactorPredictor
from triptych.inference.inputs import Config, FactorRows
from triptych.inference.streaming import StreamingPredictor

CONFIG = Config(names=("return_1", "rsi_14"), window=20, day=SHANGHAI)
DAYS = 3
SHORT = {(22, i) for i in range(2, 16)} | {(24, i) for i in range(8, 16)} | {(26, 5)}


class Remembers(AbstractPredictor):
    """Answers with what its window holds, so that two windows that differ are told apart."""

    def __init__(self):
        self.length, self.name, self.windows = 16 * DAYS, "remembers", []

    def probabilities(self, windows):
        self.windows += list(windows)
        sums = (windows * np.arange(1, windows[0].size + 1).reshape(windows[0].shape)).sum(axis=(1, 2))
        return np.stack([sums, -sums, np.zeros_like(sums)], axis=1).astype(np.float32)


@pytest.fixture
def series():
    return make_series(opens(range(30), without=SHORT))


def day_of(series, day):
    return np.flatnonzero(series.open_time_ms // DAY_MS == day)


def test_every_window_holds_whole_days_and_empty_places_are_0(series):
    rows = FactorRows(CONFIG)
    table = rows.table(series)
    plain = rows.rows(series)
    assert table.values.shape == (30 * 16, 2)
    assert table.step == 16
    end = day_of(series, 25)[-1]
    window = table.values[table.ends[end] - 47 : table.ends[end] + 1]
    np.testing.assert_array_equal(window[:16], plain[day_of(series, 23)])
    np.testing.assert_array_equal(window[16:24], plain[day_of(series, 24)])
    assert not window[24:32].any()
    np.testing.assert_array_equal(window[32:], plain[day_of(series, 25)])
    closing = np.flatnonzero(table.known(48))
    assert ((series.close_time_ms[closing] - 7 * 60 * 60_000) % DAY_MS == 0).all()  # 15:00 in Shanghai
    assert not set(series.open_time_ms[closing] // DAY_MS) & {22, 24}


def test_all_windows_are_views_on_one_table_and_a_day_is_sixteen_rows(series):
    table = FactorRows(CONFIG).table(series)
    windows = table.windows(48)
    assert np.shares_memory(windows, table.values)
    np.testing.assert_array_equal(windows[32 + 16][:32], windows[32][16:])


def test_live_says_at_each_close_what_the_whole_history_says_and_nothing_in_between(series):
    predictor = FactorPredictor(Remembers(), FactorRows(CONFIG))
    ends = np.arange(predictor.length - 1, len(series))
    whole = predictor.over(series, ends)
    told = 0
    for end, answer in zip(ends.tolist(), whole, strict=True):
        now = predictor.predict_now(View(series.head(end + 1)), series.symbol, 7)
        if np.isnan(answer).any():
            assert now is None
            assert (series.open_time_ms[end] + QUARTER_MS) % DAY_MS != 7 * 60 * 60_000
        else:
            assert now.probability_sell == pytest.approx(answer[0], rel=1e-4)
            told += 1
    assert told == len(set((series.open_time_ms[ends] // DAY_MS).tolist()) - {22, 24})


def test_a_window_does_not_change_when_the_future_is_taken_away(series):
    rows = FactorRows(CONFIG)
    whole = rows.table(series)
    for end in day_of(series, 23)[-1], day_of(series, 27)[-1]:
        cut = rows.table(series.head(end + 1))
        np.testing.assert_array_equal(
            cut.values[cut.ends[-1] - 47 :], whole.values[whole.ends[end] - 47 : whole.ends[end] + 1]
        )


def test_a_memory_carried_along_cannot_read_whole_days():
    with pytest.raises(RecipeError) as refused:
        StreamingPredictor(None, FactorRows(CONFIG), length=48)
    assert str(refused.value) == (
        "A memory is carried from candle to candle, and windows of whole days have places without one. "
        "Empty features.day.hours, or ask window by window."
    )


def test_the_last_predictions_are_those_of_the_last_days_whatever_candle_the_file_ends_with(series):
    predictor = FactorPredictor(Remembers(), FactorRows(CONFIG))
    cut = series.head(len(series) - 3)
    found = _predict_one(cut, predictor, 2, {})
    days = [(time_ms // DAY_MS) for time_ms in found["time"].cast(pl.Int64)]
    assert days == [27, 28]
