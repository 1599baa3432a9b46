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
