"""Alarms of market switches by a file's own fit and by the models of runs."""

import numpy as np
import polars as pl
import pytest
from tests.bootstrap.test_living_trained import WAYS
from tests.fakes.micro import COLLAPSED, LIKENESS, micro_recipe
from tests.inference.test_regimes import series as stretches

from triptych import bootstrap
from triptych.bootstrap import alarm_thresholds, alarm_watchers
from triptych.bootstrap.alarm_files import alarm_facts
from triptych.bootstrap.alarm_thresholds import threshold_for
from triptych.bootstrap.regime_alarms import alarms_of_file, alarms_of_run
from triptych.bootstrap.regime_filters import COLUMNS
from triptych.bootstrap.regime_states import states_of_run
from triptych.bootstrap.reporting import regime_notes
from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.inference import load_artifact
from triptych.inference.regimes import RegimeFilter
from triptych.market.store import to_ms


@pytest.fixture(autouse=True)
def _fewer_rows(monkeypatch):
    monkeypatch.setattr(alarm_thresholds, "ROWS", 6_000)


def trained(home, way):
    changes = {**WAYS, "likeness": LIKENESS, "collapsed": COLLAPSED}.get(way, ())
    recipe = micro_recipe(home, "data.synthetic.n_candles=1500", "training.epochs=1", *changes)
    return bootstrap.train(recipe, folder=home / way, progress_bar=False)


@pytest.fixture(scope="module")
def siamese(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("siamese"), "likeness")


def test_a_siamese_network_that_has_collapsed_raises_no_alarms_but_an_error(tmp_path):
    with pytest.raises(ArtifactError, match="has collapsed: the median distance of two windows is"):
        alarms_of_run(trained(tmp_path, "collapsed"))


def test_closes_at_which_no_alarm_is_possible_do_not_count(siamese, monkeypatch):
    """As where a companion has an outage: windows that reach into it are not known."""
    whole = alarms_of_run(siamese)
    hole = range(len(whole.series) - 60, len(whole.series) - 40)
    honest = alarm_watchers.windows_at

    def holed(recipe, series, ends, companions):
        windows = honest(recipe, series, ends, companions)
        windows[np.isin(ends, hole)] = np.nan
        return windows

    monkeypatch.setattr(alarm_watchers, "windows_at", holed)
    found = alarms_of_run(siamese)
    unknown = {*hole, *(end + 16 for end in hole)}  # a window is held against the one before it
    assert whole.judged - found.judged == len(unknown)
    assert not unknown & set(found.alarms.tolist())
    assert alarm_facts(found)["judged_candles"] == found.judged


@pytest.fixture(scope="module")
def filtering(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("regimes"), "regimes")


def test_the_threshold_is_taken_at_which_the_alarms_fall_to_what_is_wanted():
    raised = {1.0: 30, 2.0: 10, 3.0: 4, 4.0: 1}.__getitem__
    assert threshold_for(0.5, raised, np.array([1.0, 2.0, 3.0, 4.0]), 1000) == (4.0, 1.0)
    assert threshold_for(40.0, raised, np.array([1.0, 2.0, 3.0, 4.0]), 1000) == (1.0, 30.0)
    threshold, rate = threshold_for(5.0, lambda t: 30 if t < 2.5 else 4, np.array([1.0, 2.0, 3.0, 4.0]), 1000)
    assert (round(threshold, 6), rate) == (2.5, 4.0)


def test_where_a_higher_threshold_raises_more_again_the_lowest_that_is_high_enough_is_taken():
    thresholds = np.arange(0.5, 1.0, 0.01)
    valley = lambda t: 50 if t < 0.6 else 3 if t < 0.65 else 20 if t < 0.9 else 1  # noqa: E731
    threshold, rate = threshold_for(5.0, valley, thresholds, 1000)
    assert (round(threshold, 6), rate) == (0.6, 3.0)
    assert threshold_for(2.0, valley, thresholds, 1000) == (pytest.approx(0.9), 1.0)
    assert threshold_for(0.5, valley, thresholds, 1000) == (thresholds[-1], 1.0)


@pytest.mark.parametrize("method", ["switches", "filter", "cusum"])
def test_no_alarm_of_a_file_depends_on_what_follows(method):
    series = stretches(3900)  # the returns grow at 2,100 and 3,600
    whole = alarms_of_file(series, share=0.4, method=method, false_alarms=10)
    cut = alarms_of_file(series.head(3000), share=0.52, method=method, false_alarms=10)
    assert (whole.first, whole.threshold, whole.in_nothing) == (cut.first, cut.threshold, cut.in_nothing)
    assert len(whole.alarms) > len(cut.alarms) > 0
    assert whole.alarms[whole.alarms < 3000].tolist() == cut.alarms.tolist()


def test_the_siamese_network_of_a_run_raises_alarms_apart_from_one_another(siamese):
    found = alarms_of_run(siamese, false_alarms=10)
    assert found.method == "likeness"
    assert found.series.close_time_ms[found.first] > to_ms(siamese.record["splits"][0]["test"]["start"])
    assert found.in_nothing <= 10
    low = alarms_of_run(siamese, threshold=float(np.nanmedian(found.statistic)))
    assert len(low.alarms) > 2
    assert np.diff(low.alarms).min() >= siamese.recipe.window.length
    assert (low.statistic[low.alarms] >= low.threshold).all()
    assert low.asked is None
    assert set(low.regime) == {-1}


def test_the_filter_of_an_artifact_raises_alarms(filtering):
    found = alarms_of_run(filtering, method="filter", threshold=0.5)
    assert len(found.alarms) > 0
    assert (found.regime[found.alarms] >= 0).all()
    assert found.agreement


def test_the_switches_of_an_artifact_are_told_at_the_threshold_that_training_has_set(filtering):
    found = alarms_of_run(filtering)
    learnt = load_artifact(filtering.fold(0) / "artifact").regimes().switches
    assert (found.method, found.asked) == ("switches", 20.0)
    assert found.threshold == learnt.threshold
    acted = pl.read_parquet(filtering.folder / "predictions.parquet").filter(fold=0, since_switch=0)["time"]
    told = found.series.close_time_ms[found.alarms].tolist()
    assert acted.cast(pl.Int64).to_list() == [t for t in told if t >= acted.cast(pl.Int64).min()] != []
    other = alarms_of_run(filtering, false_alarms=2)
    assert other.asked == 2
    assert other.threshold > found.threshold


def test_the_regimes_of_a_run_are_told_by_the_model_in_charge_up_to_the_horizon_of_its_target(filtering):
    told = states_of_run(filtering, last=20)
    fitted = load_artifact(filtering.artifact).regimes().filter
    assert told.horizon == filtering.recipe.target.horizon
    np.testing.assert_array_equal(told.transition, fitted.model.transition)
    np.testing.assert_allclose(told.after, fitted.model.predict_next(told.now, told.horizon))
    assert told.probability.shape == (20, 5)
    recorded = pl.read_parquet(filtering.folder / "predictions.parquet").filter(symbol=told.series.symbol).tail(3)
    for time, *row in recorded.select("time", *COLUMNS).iter_rows():
        then = states_of_run(filtering, at=f"{time:%Y-%m-%dT%H:%M:%S}", last=3)
        np.testing.assert_allclose(then.now, row, atol=1e-9)  # what the recipe acted on
    assert not told.learned_from_it


def test_what_one_must_know_of_the_regimes_stands_at_the_head_of_the_report(filtering, monkeypatch):
    monkeypatch.setattr(RegimeFilter, "notes", lambda _: ("Bear is seldom told.",))
    assert "Bear is seldom told." in regime_notes(filtering)


def test_a_run_without_regimes_shows_none(siamese):
    assert regime_notes(siamese) == ()
    with pytest.raises(ArtifactError) as refused:
        states_of_run(siamese)
    assert str(refused.value) == (
        "The artifact of the run carries no filter of regimes. Train the recipe with regimes.use = true."
    )


def test_cusum_stands_beside_every_run_and_other_methods_only_where_they_were_learnt(siamese, filtering):
    assert alarms_of_run(siamese, method="cusum").method == "cusum"
    with pytest.raises(ArtifactError) as refused:
        alarms_of_run(siamese, method="filter")
    assert str(refused.value) == (
        "The artifact of the run carries no filter of regimes. Train the recipe with regimes.use = true, or choose "
        "--method cusum."
    )
    with pytest.raises(ArtifactError, match=r"The model has learned classes, not likeness\."):
        alarms_of_run(filtering, method="likeness")


def test_a_run_that_tells_neither_is_told_so(run_folder):
    with pytest.raises(ArtifactError) as refused:
        alarms_of_run(bootstrap.open_run(run_folder))
    assert str(refused.value) == (
        "The model of the run tells neither regimes nor likeness. Name a run of a recipe with regimes.use = true or "
        "with [siamese], or choose --method cusum."
    )


def test_what_it_takes_is_said_at_once_and_suffices():
    for n in (50, 300, 450):
        with pytest.raises(NotEnoughData) as refused:
            alarms_of_file(stretches(n))
        assert str(refused.value) == (
            f"MADE: {n} candles, of which the first {int(0.6 * n)} are fitted on, are too few for alarms by switches: "
            "it fits on 290 at least, and no alarm is possible in the first 480 of all. Bring at least 484 candles; "
            "--method cusum needs none of this."
        )
    with pytest.raises(NotEnoughData, match="Bring at least 721 candles"):
        alarms_of_file(stretches(700), method="filter")
    assert len(alarms_of_file(stretches(484), false_alarms=50).series) == 484


def test_cusum_needs_no_filter_of_regimes():
    found = alarms_of_file(stretches(50), method="cusum", false_alarms=20)
    assert 15 < found.in_nothing <= 20
    assert found.agreement == {}
    assert set(found.regime) == {-1}


def test_a_short_history_is_judged_where_an_alarm_is_possible_and_its_threshold_stands_on_thousands(monkeypatch):
    monkeypatch.setattr(alarm_thresholds, "ROWS", 4_000)
    found = alarms_of_file(stretches(700), false_alarms=20)
    assert found.first == 480
    assert found.n_calm == 4_000
    assert found.threshold > 0.6
    assert 15 < found.in_nothing <= 20


def test_a_history_that_leaves_nothing_to_judge_is_refused():
    with pytest.raises(NotEnoughData, match="1 candles leave none to judge"):
        alarms_of_file(stretches(1), share=1.0)
