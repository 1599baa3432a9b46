import numpy as np
import pytest
from pydantic import ValidationError
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych import features
from triptych.domain.errors import DataError, NotEnoughData, RecipeError


def test_rows_are_unknown_before_the_warm_up_and_known_after():
    values, times = random_walk(1300)
    pipeline = features.FeaturePipeline(features.Config())
    rows = pipeline.rows(values, times, TIMEFRAME_MS)
    assert rows.shape == (1300, 56)
    assert rows.dtype == np.float64
    assert pipeline.columns == features.resolve(["grid56"])
    assert pipeline.warm_up == 560 + 639
    assert np.isnan(rows[: pipeline.warm_up]).all()
    assert np.isfinite(rows[pipeline.warm_up :]).all()
    assert np.abs(rows[pipeline.warm_up :]).max() <= 4.0


def test_without_normalisation_the_columns_are_the_factors_themselves():
    values, times = random_walk(40)
    pipeline = features.FeaturePipeline(features.Config(names=("return_1", "sma_10"), normalisation="none"))
    rows = pipeline.rows(values, times, TIMEFRAME_MS)
    close = values[:, 3]
    assert pipeline.warm_up == 9
    np.testing.assert_allclose(rows[9:, 0], np.log(close[9:] / close[8:-1]))
    assert rows[39, 1] == pytest.approx(close[39] / close[30:40].mean() - 1.0)


def test_scores_are_those_of_the_last_candles():
    values, times = random_walk(200)
    config = features.Config(names=("body", "range"), window=50, clip=2.5)
    pipeline = features.FeaturePipeline(config)
    body = np.log(values[:, 3] / values[:, 0])
    last = body[150:]
    expected = np.clip((last[-1] - last.mean()) / last.std(), -2.5, 2.5)
    assert pipeline.warm_up == 49
    assert pipeline.rows(values, times, TIMEFRAME_MS)[-1, 0] == pytest.approx(expected)


def test_a_factor_does_not_depend_on_the_factors_beside_it():
    values, times = random_walk(1400)
    alone = features.FeaturePipeline(features.Config(names=("macd_signal",)))
    among = features.FeaturePipeline(features.Config())
    column = among.rows(values, times, TIMEFRAME_MS)[among.warm_up :, among.columns.index("macd_signal")]
    by_itself = alone.rows(values, times, TIMEFRAME_MS)[among.warm_up :, 0]
    np.testing.assert_allclose(by_itself, column, rtol=0, atol=1e-9)


def test_the_candles_are_left_as_they_are():
    values, times = random_walk(700)
    before = values.copy()
    features.FeaturePipeline(features.Config(names=("all",), normalisation="none")).rows(values, times, TIMEFRAME_MS)
    np.testing.assert_array_equal(values, before)


def test_too_short_a_history_is_refused_with_the_number_needed():
    values, times = random_walk(1199)
    with pytest.raises(NotEnoughData) as refused:
        features.FeaturePipeline(features.Config()).rows(values, times, TIMEFRAME_MS)
    assert str(refused.value) == (
        "The factors are known after 1199 candles, the history has 1199. "
        "Bring at least 1200 candles, or shorten `features.window`."
    )


def test_without_a_window_nobody_is_told_to_shorten_it():
    values, times = random_walk(5)
    with pytest.raises(NotEnoughData) as refused:
        features.FeaturePipeline(features.Config(names=("sma_10",), normalisation="none")).rows(
            values, times, TIMEFRAME_MS
        )
    assert str(refused.value) == (
        "The factors are known after 9 candles, the history has 5. Bring at least 10 candles."
    )


def test_candles_of_another_shape_are_refused():
    values, times = random_walk(50)
    with pytest.raises(DataError) as refused:
        features.FeaturePipeline(features.Config()).rows(values[:, :4], times[:49], TIMEFRAME_MS)
    assert str(refused.value) == (
        "Expected candles of shape (n, 5) with n open times, was (50, 4) with (49,). "
        "Bring open, high, low, close, volume and one open time a candle."
    )


def test_an_unknown_factor_is_refused_at_once():
    with pytest.raises(RecipeError, match="Unknown factor 'rsi'"):
        features.FeaturePipeline(features.Config(names=("rsi",)))


@pytest.mark.parametrize(
    "wrong", [{"window": 1}, {"clip": 0.0}, {"normalisation": "global"}, {"names": ()}, {"name": 1}]
)
def test_a_wrong_option_is_refused(wrong):
    with pytest.raises(ValidationError):
        features.Config(**wrong)
