from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from tests.fakes.waves import waves

from triptych.domain.errors import ColumnError, DataError, NotEnoughData, RecipeError
from triptych.inference.anomaly.baselines import BASELINES, KMeansConfig, KMeansDetector, PcaDetector, ZScoreDetector
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.holding_out import hold_out


@pytest.fixture(scope="module")
def rows():
    x = waves(700)
    x[650:655] += [6.0, -6.0, 6.0]
    return x


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_detector_keeps_pyods_conventions(name, rows):
    detector = BASELINES[name]().fit(rows[:600])
    assert detector.decision_scores_.shape == detector.labels_.shape == (600,)
    assert set(detector.labels_.tolist()) <= {0, 1}
    np.testing.assert_array_equal(detector.labels_, detector.decision_scores_ > detector.threshold_)
    assert detector.contamination == 0.01
    scores = detector.decision_function(rows)
    np.testing.assert_array_equal(detector.predict(rows), scores > detector.threshold_)
    probability = detector.predict_proba(rows)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert probability[651, 1] > 0.97
    assert scores[650:655].min() > np.quantile(scores[:640], 0.98)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_equal_rows_get_equal_scores_call_after_call_and_fit_after_fit(name, rows):
    first, second = (BASELINES[name]().fit(rows[:600]) for _ in range(2))
    np.testing.assert_array_equal(first.decision_function(rows), second.decision_function(rows))
    np.testing.assert_array_equal(first.decision_function(rows), first.decision_function(rows))


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_the_threshold_comes_from_held_out_rows_alone(name, rows):
    detector = BASELINES[name]().fit(rows[:600])
    held = hold_out(
        [(0, 600)], share=0.2, blocks=4, memory=detector.memory, contamination=0.01, parts=("threshold",)
    ).parts["threshold"]
    scores = [detector.decision_scores_[a + detector.memory - 1 : b] for a, b in held]
    np.testing.assert_allclose(detector.held_out_in_order_, np.concatenate(scores), rtol=1e-6)
    assert detector.threshold_ == detector.threshold_at(0.01)
    assert detector.threshold_ >= np.quantile(detector.held_out_scores_, 0.985)


def test_zscore_is_the_mean_square_of_distances_in_deviations():
    x = waves(600, channels=2)
    detector = ZScoreDetector(CommonConfig(bound=1e9)).fit(x)
    z = (x - detector.scaling_.centre) / detector.scaling_.scale
    np.testing.assert_allclose(detector.decision_function(x), (z**2).mean(axis=1), rtol=1e-5)


def test_pca_sees_a_channel_that_leaves_the_others():
    generator = np.random.default_rng(0)
    common = generator.standard_normal(800)
    x = np.column_stack([common, common]) + 0.05 * generator.standard_normal((800, 2))
    detector = PcaDetector().fit(x[:700])
    x[750] = [1.0, -1.0]
    assert detector.decision_function(x).argmax() == 750


def test_windows_never_cross_entities():
    x = waves(400)
    entity = np.repeat([0, 1], 200)
    detector = KMeansDetector(KMeansConfig(length=16)).fit(x, entity=entity)
    together = detector.decision_function(x, entity=entity)
    apart = np.concatenate([detector.decision_function(x[:200]), detector.decision_function(x[200:])])
    np.testing.assert_array_equal(together, apart)
    assert (together[200:215] == 0).all()


def test_scores_look_back_only(rows):
    detector = KMeansDetector().fit(rows[:600])
    np.testing.assert_array_equal(detector.decision_function(rows)[:300], detector.decision_function(rows[:300]))


def test_the_frame_is_aligned_with_the_rows_and_gives_reasons(rows):
    times = np.arange(700) * 60_000 + 1_700_000_000_000
    frame = pl.DataFrame({"timestamp": times.astype("datetime64[ms]"), "a": rows[:, 0], "b": rows[:, 1]})
    detector = ZScoreDetector().fit(frame.head(600))
    scored = detector.score_frame(frame)
    assert scored.columns == ["time", "score", "threshold", "alarm", "bad", "reasons"]
    assert scored["time"].to_list() == frame["timestamp"].to_list()
    alarm = scored.row(652, named=True)
    assert alarm["alarm"]
    assert alarm["reasons"].startswith(("a: level", "b: level"))
    assert scored.filter(~pl.col("alarm"))["reasons"].unique().to_list() == [""]


def test_masked_rows_get_no_score(rows):
    x = rows.copy()
    x[620] = np.nan
    detector = ZScoreDetector(CommonConfig(bad_rows="mask")).fit(rows[:600])
    assert detector.decision_function(x)[620] == 0
    assert detector.score_frame(x)["bad"].arg_true().to_list() == [620]


def test_other_columns_are_refused(rows):
    detector = ZScoreDetector().fit(pl.DataFrame(rows, schema=["a", "b", "c"]))
    with pytest.raises(ColumnError) as error:
        detector.predict(pl.DataFrame(rows, schema=["a", "d", "b"]))
    assert str(error.value) == (
        "The detector was fitted on the columns a, b, c; these rows have no 'c'. Bring that column too; theirs are "
        "a, d, b."
    )
    with pytest.raises(ColumnError, match="these rows have channel 0, channel 1, channel 2"):
        detector.predict(rows)
    moved = pl.DataFrame(rows, schema=["a", "b", "c"]).select("c", "a", "b", extra=0)
    assert detector.predict(moved).tolist() == detector.predict(pl.DataFrame(rows, schema=["a", "b", "c"])).tolist()


def test_a_constant_channel_is_refused(rows):
    x = rows.copy()
    x[:, 1] = 5.0
    with pytest.raises(DataError) as error:
        ZScoreDetector().fit(x)
    assert str(error.value) == (
        "These channels do not change in the training rows: 'channel 1'. Drop them: nothing can be learnt from a "
        "constant, and any change would look infinite."
    )


def test_too_few_rows_are_refused(rows):
    with pytest.raises(NotEnoughData) as error:
        KMeansDetector(KMeansConfig(length=64)).fit(rows[:100])
    assert str(error.value) == (
        "100 rows, 100 of them without a break, are too few for a detector that looks back on 64 and lets "
        "0.01 of the normal rows alarm. Bring at least 270 unbroken rows, choose a shorter window or a greater "
        "contamination."
    )


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_scikit_learn_clones_and_sets_every_detector(name, rows):
    detector = BASELINES[name](contamination=0.05)
    assert detector.contamination == 0.05
    again = clone(detector.set_params(contamination=0.03)).fit(rows[:600])
    assert again.contamination == again.get_params()["contamination"] == 0.03
    before = again.threshold_
    again.contamination = 0.2
    assert again.threshold_ < before
    np.testing.assert_array_equal(again.fit_predict(rows[:600]), again.labels_)
    with pytest.raises(RecipeError) as error:
        again.set_params(colour="red")
    assert str(error.value) == "colour: Extra inputs are not permitted. Correct the setting."


def test_a_pandas_frame_comes_back_with_its_index(rows):
    hours = pd.date_range("2024-01-01", periods=700, freq="h", tz="UTC")
    for index in (
        hours,
        hours.tz_convert("Asia/Tokyo"),
        hours.tz_localize(None),
        [f"r{i}" for i in range(700)],
        [0] * 700,
    ):
        frame = pd.DataFrame(rows, columns=list("abc"), index=index)
        detector = ZScoreDetector().fit(frame)
        scored = detector.score_frame(frame)
        assert scored.index.equals(frame.index)
        assert list(scored.columns) == ["score", "threshold", "alarm", "bad", "reasons"]
        np.testing.assert_array_equal(scored["score"].fillna(0.0), detector.decision_function(rows_of(frame)))


def rows_of(frame):
    return pl.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def test_times_of_a_polars_frame_come_back_as_they_were(rows):
    times = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 30, 3), "1h", time_zone="Asia/Tokyo", eager=True)
    frame = pl.DataFrame(rows, schema=list("abc")).with_columns(times.alias("timestamp"))
    assert ZScoreDetector().fit(frame).score_frame(frame)["time"].equals(times)


def test_a_detector_that_has_not_been_fitted_says_so(rows):
    with pytest.raises(DataError) as error:
        ZScoreDetector().predict(rows)
    assert str(error.value) == "The detector 'zscore' has not been fitted. Call fit(X) first."
