from datetime import date

import pytest

from triptych.domain.errors import RecipeError
from triptych.settings.study import load_study, shipped_studies


def test_shipped_studies_can_be_read():
    assert shipped_studies() == ("coins_1h", "sse_15m", "stocks_and_oil_1d")
    for name in shipped_studies():
        study = load_study(name)
        assert study.marks
        assert all(day >= study.period.fit_until for day in study.marks)
    assert load_study("coins_1h").channels.columns == ("BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT")


def test_a_key_can_be_changed():
    study = load_study("sse_15m", ["detector.epochs=2", "period.fit_until=2015-07-01", 'threshold.method="spot"'])
    assert (study.detector.epochs, study.period.fit_until) == (2, date(2015, 7, 1))
    assert study.threshold.method == "spot"


def test_a_recipe_chooses_any_detector_and_its_settings():
    learning = load_study("coins_1h", ["detector.hidden_rows=16", "detector.settings.focus=8"]).detector
    assert learning.given()["network"] == {"hidden_rows": 16}
    assert learning.given()["focus"] == 8
    assert learning.trained() == {"learning_rate": 2e-3, "epochs": 6}
    plain = load_study("coins_1h", ["detector.name=pca", "detector.settings.explained=0.8"])
    assert (plain.detector.name, plain.detector.given()["explained"], plain.beside) == ("pca", 0.8, ("pca",))
    deep = load_study("coins_1h", ["detector.settings.network.width=24", "detector.training.batch_size=32"]).detector
    assert (deep.given()["network"], deep.trained()["batch_size"]) == ({"width": 24}, 32)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["detector.settings.seed=3"], "settings.seed stands in this section itself: write detector.seed"),
        (["detector.name=pca", "detector.hidden_rows=16"], "'pca' has no network: leave hidden_rows and training out"),
        (["detector.name=pca", "detector.settings.focus=8"], "Detector pca: focus: Extra inputs are not permitted"),
        (["detector.training.batch=8"], "detector: training.batch: Extra inputs are not permitted"),
        (["detector.name=lof"], "detector.name: Input should be 'catch', 'blend', 'zscore', 'pca'"),
    ],
)
def test_what_a_detector_does_not_know_is_refused_before_anything_is_read(overrides, message):
    with pytest.raises(RecipeError) as error:
        load_study("sse_15m", overrides)
    assert message in error.value.message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["detector.epoch=2"], "sse_15m: Unknown key 'detector.epoch'. Did you mean 'epochs'?"),
        (["period.end=2015-02-01"], "sse_15m: period: start, fit_until and end must follow one another."),
    ],
)
def test_what_is_wrong_is_named(overrides, message):
    with pytest.raises(RecipeError) as error:
        load_study("sse_15m", overrides)
    assert error.value.message == message


def test_an_unknown_study_names_the_known_ones():
    with pytest.raises(RecipeError) as error:
        load_study("oil")
    assert str(error.value) == (
        "There is no recipe 'oil': neither a file nor a shipped recipe. Shipped recipes: coins_1h, sse_15m, "
        "stocks_and_oil_1d."
    )
