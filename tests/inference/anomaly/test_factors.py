from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.fakes.market import walk
from tests.fakes.waves import TINY
from tests.inference.anomaly.conftest import learner

from triptych.domain.errors import ArtifactError
from triptych.features._history import History
from triptych.features.channels import market_channels
from triptych.inference import FactorRows
from triptych.inference.anomaly.baselines import PcaDetector
from triptych.inference.anomaly.catch import CatchDetector, Config
from triptych.inference.anomaly.factors import detector_factors
from triptych.inference.anomaly.saving import save_detector
from triptych.inference.inputs import Config as InputsConfig

SERIES = walk(700, seed=4)


@pytest.fixture(scope="module")
def detector():
    made = market_channels([walk(900, seed=3)])
    fitted = CatchDetector(Config(network=TINY, focus=8, groups=3), learner=learner)
    return fitted.fit(pl.DataFrame(made.values, schema=list(made.columns)))


def history(n=700, start=0):
    part = SERIES.between(start, n)
    return History(part.values, part.open_time_ms, part.timeframe.milliseconds)


def test_score_and_state_are_factors_with_names(detector):
    factors = detector_factors(detector)
    assert [one.name for one in factors] == ["catch_score", *(f"catch_state_{i}" for i in range(1, 9))]
    assert {(one.family, one.lookback, one.settle) for one in factors} == {("catch", 24, 120)}
    whole = history()
    columns = np.column_stack([one.compute(whole) for one in factors])
    assert np.isnan(columns[:24]).all()
    assert np.isfinite(columns[24:]).all()
    assert (columns[200:].std(axis=0) > 0).all()
    made = market_channels([SERIES])
    scores = detector.decision_function(pl.DataFrame(made.values, schema=list(detector.columns_)))
    np.testing.assert_allclose(columns[24:, 0], scores[23:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cut", [25, 26, 200, 699])
def test_no_factor_of_a_detector_changes_when_more_history_follows(detector, cut):
    whole, short = history(), history(cut)
    for factor in detector_factors(detector):
        np.testing.assert_allclose(
            factor.compute(short), factor.compute(whole)[:cut], rtol=1e-4, atol=1e-5, err_msg=factor.name
        )


def test_older_history_than_settle_changes_nothing(detector):
    whole, late = history(), history(start=300)
    for factor in detector_factors(detector):
        after = slice(factor.settle, None)
        np.testing.assert_allclose(
            factor.compute(late)[after], factor.compute(whole)[300:][after], rtol=1e-4, atol=1e-5
        )


def test_rows_of_a_model_hold_them_behind_the_named_factors(detector, tmp_path):
    save_detector(tmp_path / "detector", detector)
    config = InputsConfig(names=("return_1",), window=20, detector=str(tmp_path / "detector"))
    made = FactorRows(config)
    assert made.columns[:3] == ("return_1", "catch_score", "catch_state_1")
    assert made.warm_up == 120 + 19
    rows = made.rows(SERIES)
    assert rows.shape == (700, 10)
    assert np.isfinite(rows[made.warm_up :]).all()
    np.testing.assert_allclose(made.rows(SERIES.head(400))[150:], rows[150:400], rtol=1e-3, atol=1e-3)


def test_a_detector_of_other_channels_is_refused(catch):
    with pytest.raises(ArtifactError) as error:
        detector_factors(catch)
    assert str(error.value) == (
        "A detector whose score becomes a factor is causal and reads return, range, volume, signed volume of one "
        "instrument; this one reads channel 0, channel 1, channel 2. Fit one on what "
        "`triptych.features.channels.market_channels` makes of one instrument."
    )


def test_a_detector_without_a_network_is_refused():
    made = market_channels([walk(900, seed=3)])
    fitted = PcaDetector().fit(pl.DataFrame(made.values, schema=list(made.columns)))
    with pytest.raises(ArtifactError) as error:
        detector_factors(fitted)
    assert str(error.value) == (
        "A detector of the kind 'pca' has no state that another network could read. Fit one of the kind \"catch\"."
    )


def booked(n, seed, *holes):
    series = walk(n, seed=seed)
    sizes = np.random.default_rng(seed).uniform(1, 9, (2, n, 1))
    away = 1e-4 * series.close[:, None] * sizes[1]
    books = np.concatenate([series.close[:, None] - away, sizes[0], series.close[:, None] + away, sizes[1]], axis=1)
    books[list(holes)] = np.nan
    return replace(series, books=books)


def test_a_detector_of_books_gives_factors_that_are_unknown_where_no_book_is(tmp_path):
    made = market_channels([booked(900, 3)], ["spread"])
    fitted = CatchDetector(Config(network=TINY, focus=8, groups=3), learner=learner)
    fitted.fit(pl.DataFrame(made.values, schema=list(made.columns)))
    factors = detector_factors(fitted)
    assert {(one.lookback, one.settle, one.levels) for one in factors} == {(24, 120, 1)}
    series = booked(400, 4, 300)

    def columns(n):
        part = series.head(n)
        seen = History(part.values, part.open_time_ms, part.timeframe.milliseconds, part.books)
        return np.column_stack([one.compute(seen) for one in factors])

    whole = columns(400)
    assert np.flatnonzero(np.isnan(whole).any(axis=1)).tolist() == [*range(24), *range(300, 324)]
    for cut in (200, 301, 330):
        np.testing.assert_allclose(columns(cut), whole[:cut], rtol=1e-4, atol=1e-5)
    save_detector(tmp_path / "detector", fitted)
    rows = FactorRows(InputsConfig(names=("return_1",), window=20, detector=str(tmp_path / "detector")))
    assert rows.levels == 1
    assert np.isfinite(rows.rows(series)[rows.warm_up : 300]).all()
