import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.bootstrap.test_windowing import grid
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap import check_explanations
from triptych.bootstrap.explaining import explain_decision, window_at
from triptych.bootstrap.explanation_files import write_explanation
from triptych.bootstrap.explanation_pictures import overlay, side_by_side
from triptych.domain import utc
from triptych.domain.errors import DataError, NotEnoughData
from triptych.inference.explain import METHODS


@pytest.fixture(scope="module")
def run(trained):
    return bootstrap.open_run(trained)


@pytest.fixture(scope="module")
def candles(run):
    return bootstrap.load_candles(run.recipe)


@pytest.fixture(scope="module")
def decided(run):
    """Close of a decision in the test segment."""
    return run.record["splits"][0]["test"]["stop"]


@pytest.mark.parametrize("method", METHODS)
def test_an_explanation_at_a_time_knows_no_later_candle(run, candles, method):
    """The same decision explained on the whole history and on one that ends with it."""
    series = candles.series[0]
    end = len(series) - 40
    at = utc(int(series.close_time_ms[end]))
    cut = replace(candles, series=(series.between(0, end + 1),))
    whole = explain_decision(run, at=at, method=method, candles=candles)
    known = explain_decision(run, at=at, method=method, candles=cut)
    assert np.array_equal(whole.explanation.attribution, known.explanation.attribution)
    assert np.array_equal(whole.explanation.by_candle, known.explanation.by_candle)
    assert whole.to_dict() == known.to_dict()
    assert whole.window.close_time_ms[-1] == whole.time_ms == series.close_time_ms[end]


def test_the_explained_probabilities_are_those_the_run_recorded(run, decided):
    decision = explain_decision(run, at=decided)
    said = bootstrap.predict(run.folder, *_exported(run, decision))
    last = said.row(-1, named=True)
    ours = [last[f"probability_{name}"] for name in ("sell", "hold", "buy")]
    assert np.allclose(ours, decision.explanation.probabilities, atol=1e-4)


def _exported(run, decision):
    path = run.folder.parent / "explained.csv"
    series = bootstrap.load_candles(run.recipe).series[0]
    known = series.between(0, int(np.searchsorted(series.close_time_ms, decision.time_ms)) + 1)
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        ",".join(map(repr, [time, *row]))
        for time, row in zip(known.open_time_ms.tolist(), known.values.tolist(), strict=True)
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return (path,)


def test_the_model_of_the_fold_that_was_tested_then_is_the_one_explained(run, decided):
    assert explain_decision(run, at=decided).fold == 0
    assert not explain_decision(run, at=decided).learned_from_it
    assert explain_decision(run, at=run.record["splits"][0]["train"]["stop"]).learned_from_it


def test_between_two_closes_the_last_closed_candle_decides(run, candles):
    series = candles.series[0]
    between = utc(int(series.close_time_ms[-5]) + 1_000)
    assert explain_decision(run, at=between).time_ms == series.close_time_ms[-5]
    assert explain_decision(run).time_ms == series.close_time_ms[-1]


def test_leading_candles_are_named_by_time_and_share(run, decided):
    decision = explain_decision(run, at=decided)
    rows = decision.leading_candles(16)
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    assert [abs(row["importance"]) for row in rows] == sorted((abs(r["importance"]) for r in rows), reverse=True)
    newest = next(row for row in rows if row["candles_ago"] == 0)
    assert newest["open_time"] == utc(decision.time_ms - decision.window.timeframe.milliseconds)


def test_what_cannot_be_explained_is_refused_in_words(run, candles):
    series = candles.series[0]
    first, last = (utc(int(series.close_time_ms[i])) for i in (0, -1))
    with pytest.raises(DataError) as caught:
        explain_decision(run, at="2001-01-01")
    assert str(caught.value) == (
        f"{series.symbol} has no candle that closed at 2001-01-01. Its candles close from {first} to {last} UTC."
    )
    with pytest.raises(NotEnoughData) as early:
        explain_decision(run, at=utc(int(series.close_time_ms[3])))
    assert str(early.value) == (
        f"{series.symbol}: 4 candles by {utc(int(series.close_time_ms[3]))} do not fill a window of 16. The first "
        f"window closes at {utc(int(series.close_time_ms[15]))} UTC."
    )
    with pytest.raises(DataError) as unknown:
        explain_decision(run, symbol="NOBODY")
    assert str(unknown.value) == f"The run does not trade NOBODY. It trades {series.symbol}."


def asked_too_early(recipe, end, instrument=None):
    candles = bootstrap.load_candles(recipe)
    with pytest.raises((NotEnoughData, DataError)) as caught:
        window_at(recipe, candles, instrument or candles.series[0], end)
    return str(caught.value)


def test_where_factors_have_not_settled_it_is_said_when_the_first_window_closes(tmp_path):
    recipe = micro_recipe(
        tmp_path, 'features.names=["return_1", "rsi_14"]', "features.window=20", "encoding.name=sequence",
        "encoding.factors=2", "model.name=gru",
    )  # fmt: skip
    (series,) = bootstrap.load_candles(recipe).series
    early = (
        "ALFA-USDT: 21 candles by 2024-01-01 05:15:00 do not fill a window of 16 and the 299 before it that its values "
        "rest on. "
    )
    first = utc(int(series.close_time_ms[299 + 16 - 1]))
    assert asked_too_early(recipe, 20) == f"{early}The first window closes at {first} UTC."
    assert asked_too_early(recipe, 20, series.head(200)) == (
        f"{early}The first window closes with candle 315, and the history has 200: bring more."
    )


def test_of_pictures_of_whole_days_a_window_closes_with_a_day():
    recipe = grid(**{"data.synthetic.n_candles": 600})
    early = asked_too_early(recipe, 100)
    assert early.endswith("that its values rest on. The first window closes at 2024-01-29 07:00:00 UTC.")
    assert asked_too_early(recipe, 401) == (
        "ALFA-USDT: no window closes at 2024-02-05 02:00:00, in the middle of a trading day. The last one before "
        "closed at 2024-02-02 07:00:00 UTC."
    )


def test_the_picture_and_its_figures_are_written_side_by_side(run, decided, tmp_path):
    decision = explain_decision(run, at=decided, method="occlusion")
    picture, figures = write_explanation(decision, tmp_path / "why.png")
    with Image.open(picture) as opened:
        assert opened.size == (1400, 900)
    content = json.loads(figures.read_text())
    assert content["symbol"] == decision.symbol
    assert np.allclose(content["heat"], decision.explanation.heat)
    with pytest.raises(DataError) as caught:
        write_explanation(decision, tmp_path / "why.gif")
    assert str(caught.value) == f"Cannot draw to {tmp_path / 'why.gif'}. Choose a name ending in .png."


def test_heat_for_and_against_has_its_own_colour(run, decided):
    one = explain_decision(run, at=decided).explanation
    shown = overlay(one)
    assert shown.shape == (3, *one.heat.shape)
    strongest = np.unravel_index(np.abs(one.heat).argmax(), one.heat.shape)
    red, green, _ = shown[(slice(None), *strongest)]
    assert (green > red) == (one.heat[strongest] > 0)
    assert side_by_side(one).shape[1:] == (16, 2 * 16 + 2)


def test_a_run_on_factors_names_its_factors(tmp_path):
    recipe = micro_recipe(
        tmp_path, "data.synthetic.n_candles=700", 'features.names=["return_1", "rsi_14"]', "features.window=20",
        "encoding.name=sequence", "encoding.factors=2", "model.name=gru", "model.width=0.25", "training.epochs=1",
        "model.sequence.labels_per_parameter=0",
    )  # fmt: skip
    run = bootstrap.train(recipe, folder=tmp_path / "factors", progress_bar=False)
    decision = explain_decision(run)
    (axis,) = decision.explanation.axes
    assert axis.kind == "factor"
    assert axis.names == ("return_1", "rsi_14")
    assert decision.explanation.heat.shape == (2, 16)
    assert [row["method"] for row in check_explanations(run, decisions=1)] == ["integrated_gradients", "occlusion"]


def test_the_report_shows_the_surest_decisions_with_their_heat(trained):
    html = (trained / "report.html").read_text()
    assert "Why it decided so" in html
    twin = json.loads((trained / "report.json").read_text())
    assert 1 <= len(twin["explanations"]) <= 4
