"""Likeness goes the whole way, and the look-up names nothing that was not over by then."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.fakes.micro import COLLAPSED, LIKENESS, call, micro_recipe

from triptych import bootstrap
from triptych.bootstrap.building import Dataset, build_classifier
from triptych.bootstrap.judging_likeness import _followed, _look_up
from triptych.bootstrap.windowing import first_end
from triptych.domain import utc
from triptych.domain.errors import ArtifactError, NotEnoughData, RecipeError
from triptych.inference import load_artifact
from triptych.inference.similar import COLLAPSED as COLLAPSED_BELOW
from triptych.inference.similar import spread_of
from triptych.market.store import to_ms
from triptych.settings import load_recipe
from triptych.training.siamese.fitting import channel_scales, embeddings_over


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("likeness")
    recipe = micro_recipe(home, *LIKENESS, "training.epochs=2")
    return bootstrap.train(recipe, folder=home / "run", progress_bar=False)


def test_nothing_named_overlaps_or_was_still_open(run):
    series = bootstrap.load_candles(run.recipe).series[0]
    found = bootstrap.similar(run, count=8)
    closes = [to_ms(row["time"]) for row in found.rows]
    step = series.timeframe.milliseconds
    assert max(closes) <= found.time_ms - 16 * step
    gaps = np.diff(np.sort(closes)) // step
    assert gaps.min() >= 16
    assert [row["similarity"] for row in found.rows] == sorted((row["similarity"] for row in found.rows), reverse=True)
    for row, close in zip(found.rows, closes, strict=True):
        e = int(np.searchsorted(series.close_time_ms, close))
        assert row["return"] == pytest.approx(series.close[e + 4] / series.close[e] - 1.0)


def test_the_same_is_found_on_a_history_that_ends_there(run, tmp_path, monkeypatch):
    series = bootstrap.load_candles(run.recipe).series[0]
    at = utc(int(series.close_time_ms[-60]))
    whole = bootstrap.similar(run, at=at).to_dict()
    honest = bootstrap.similar.__globals__["candles_of"]

    def cut(one):
        candles = honest(one)
        return type(candles)(**{**vars(candles), "series": (series.between(0, len(series) - 59),)})

    monkeypatch.setitem(bootstrap.similar.__globals__, "candles_of", cut)
    assert bootstrap.similar(run, at=at).to_dict() == whole


def test_the_artifact_keeps_its_library_and_answers_alike_through_both_backends(run):
    artifact = load_artifact(run.artifact)
    entries = artifact.card.siamese["entries"]
    assert 100 <= entries <= 200
    dataset = Dataset.of(run.recipe, bootstrap.load_candles(run.recipe))
    windows = dataset.windows(dataset.folds[0].test).gather(torch.arange(30)).windows.numpy()
    ours, theirs = (artifact.predictor(backend).probabilities(windows) for backend in ("torch", "onnx"))
    assert np.allclose(ours, theirs, atol=1e-4)
    assert np.allclose(ours.sum(axis=1), 1.0, atol=1e-4)
    assert "verdict" in bootstrap.backtest(run)


def test_the_command_prints_windows_and_one_json_document(run, triptych):
    said = triptych("similar", run.folder, "--count", 3)
    assert "similarity" in said.out
    assert "Strangeness" in said.out
    content = json.loads(triptych("similar", run.folder, "--count", 3, "--json").out)
    assert len(content["rows"]) == 3
    assert 0.0 <= content["strangeness_rank"] <= 1.0


def test_last_means_the_last_window_as_it_does_of_explain(run, triptych):
    assert bootstrap.similar(run, at="last") == bootstrap.similar(run)
    last, default = (triptych("similar", run.folder, *words, "--json").out for words in (("--at", "last"), ()))
    assert last == default


def test_windows_that_are_not_known_are_passed_over(run, triptych, monkeypatch):
    """As where a companion had an outage: the windows that reach into it are unknown."""
    series = bootstrap.load_candles(run.recipe).series[0]
    whole, n = bootstrap.similar(run, count=400), len(series)
    hole = range(n - 30, n - 10)
    honest = bootstrap.similar.__globals__["windows_at"]

    def holed(recipe, known, ends, companions):
        windows = honest(recipe, known, ends, companions)
        windows[np.isin(ends, hole)] = np.nan
        return windows

    monkeypatch.setitem(bootstrap.similar.__globals__, "windows_at", holed)
    found = bootstrap.similar(run, count=400)
    gone = {utc(int(series.close_time_ms[e])) for e in hole}
    assert gone & {row["time"] for row in whole.rows}
    assert found.rows
    assert not gone & {row["time"] for row in found.rows}
    assert (found.change, found.change_rank) == (None, None)  # the window before this one is among them
    assert "Change since the window before: not known." in " ".join(triptych("similar", run.folder).out.split())
    within, before = (utc(int(series.close_time_ms[e])) for e in (n - 20, n - 31))
    with pytest.raises(NotEnoughData) as refused:
        bootstrap.similar(run, at=within)
    assert f"the window that closes at {within} UTC is not known" in str(refused.value)
    assert f"such as {before}" in str(refused.value)


def test_a_collapsed_network_is_told_of_and_gives_no_rows_and_no_ranks(tmp_path, triptych):
    """As this one has: two epochs of a tiny network bring no window away from another."""
    told = []
    recipe = micro_recipe(tmp_path, *COLLAPSED, "training.epochs=2")
    run = bootstrap.train(recipe, folder=tmp_path / "run", tell=told.append, progress_bar=False)
    (note,) = [words for words in told if "The network of likeness has collapsed: the median distance of" in words]
    with pytest.raises(ArtifactError) as refused:
        bootstrap.similar(run)
    assert note.split(" is ")[0] in str(refused.value)
    for words in ((), ("--json",)):
        said = triptych("similar", run.folder, *words)
        assert said.status != 0
        assert "so similarities, strangeness and changes mean nothing. " in said.error
        assert not any(word in said.out for word in ("similarity", "Strangeness", "rank"))


def test_a_sound_network_is_not_called_collapsed_where_the_past_is_short(run):
    series = bootstrap.load_candles(run.recipe).series[0]
    first, length = first_end(run.recipe), 16
    enough = first + 19 * length // 2 + length  # 20 windows that end half a window apart, the last a window before

    def asked(candle, **options):
        return bootstrap.similar(run, at=utc(int(series.close_time_ms[candle])), **options)

    for candle, count in ((first + length, 1), (first + length + 1, 1), (first + length + 8, 2), (enough - 1, 19)):
        with pytest.raises(NotEnoughData) as caught:
            asked(candle)
        assert f"{count} past windows of 16 candles that overlap by half at most had ended" in str(caught.value)
        assert f"Ask about a later time: {enough + 1} candles of history are enough by steps of 4" in str(caught.value)
    assert asked(enough).spread >= COLLAPSED_BELOW
    with pytest.raises(
        NotEnoughData, match=r"looked at each 100000 candles; .*Look at more of them: step = 8 of triptych"
    ):
        bootstrap.similar(run, step=100_000)


@pytest.mark.parametrize("name", ["siamese", "siamese_factors"])
def test_an_untrained_network_of_the_shipped_recipes_has_not_collapsed(name):
    """So that what is called collapsed has been brought together by its training."""
    recipe = load_recipe(name, ["data.synthetic.n_candles=3000", "data.synthetic.instruments=1", "window.stride=40"])
    dataset = Dataset.of(recipe, bootstrap.load_candles(recipe))
    classifier, windows = build_classifier(recipe).eval(), dataset.windows(dataset.folds[0].train)
    if recipe.siamese.scaled:
        classifier.network.take_scales(*channel_scales(classifier, windows))
    assert spread_of(embeddings_over(classifier, windows).numpy()) > 2 * COLLAPSED_BELOW


def test_a_window_whose_class_is_not_known_is_said_to_be_one(run, monkeypatch):
    honest = bootstrap.similar.__globals__["label"]

    def unknown(series, config):
        found = honest(series, config)
        return replace(found, classes=np.full_like(found.classes, -1))

    monkeypatch.setitem(bootstrap.similar.__globals__, "label", unknown)
    found = bootstrap.similar(run)
    assert {row["followed"] for row in found.rows} == {"unknown"}
    assert all(np.isfinite(row["return"]) for row in found.rows)


def test_a_model_of_classes_is_refused(trained):
    with pytest.raises(ArtifactError) as caught:
        bootstrap.similar(bootstrap.open_run(trained))
    assert str(caught.value) == (
        "The model has learned classes, not likeness. Train a recipe with [siamese], such as `siamese`."
    )


def test_like_windows_may_be_half_a_window_apart_at_most(tmp_path):
    recipe = micro_recipe(tmp_path, "siamese.loss=triplet", "siamese.near=9")
    with pytest.raises(RecipeError) as caught:
        bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    assert str(caught.value) == ("siamese.near is 9, more than half of a window of 16 candles. Set it to 8 or less.")


def test_a_window_that_the_model_learned_from_is_no_stranger_to_itself(run, triptych, monkeypatch):
    """The library holds such a window, and later ones: at no distance from itself, nothing would ever be strange."""
    learned_until = to_ms(run.record["splits"][0]["train"]["stop"])
    inside = utc(learned_until - 50 * 900_000)
    found = bootstrap.similar(run, at=inside)
    assert found.learned_from_it
    known = load_artifact(run.artifact).classifier()
    known.network.get_buffer("library").zero_()
    forgetful = SimpleNamespace(classifier=lambda: known)
    monkeypatch.setitem(bootstrap.similar.__globals__, "load_artifact", lambda _folder: forgetful)
    assert bootstrap.similar(run, at=inside) == found
    monkeypatch.undo()
    assert not bootstrap.similar(run).learned_from_it
    note = "Note: the model learned from candles of this time; likeness was not learned without them."
    assert note in " ".join(triptych("similar", run.folder, "--at", inside.replace(" ", "T")).out.split())
    assert note not in " ".join(triptych("similar", run.folder).out.split())


def test_windows_of_longer_candles_share_no_candle_either(tmp_path, monkeypatch):
    # Which windows may be named is asked, not how good they are: one epoch of charts collapses.
    monkeypatch.setitem(bootstrap.similar.__globals__, "require_apart", lambda spread: None)
    recipe = micro_recipe(
        tmp_path, "siamese.loss=nt_xent", "siamese.dimension=4", "siamese.near=4", "features.period=3",
        "training.epochs=1",
    )  # fmt: skip
    run = bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    found = bootstrap.similar(run, count=5, step=1)
    closes = [found.time_ms, *(to_ms(row["time"]) for row in found.rows)]
    assert np.diff(np.sort(closes)).min() >= (3 * 17 - 1) * 900_000


def test_the_look_up_is_judged_beside_plain_ways(run, capsys):
    found = bootstrap.evaluate(run)["look_up"]
    assert found["neighbours"] == 10
    assert set(found["figures"]) == {"direction", "size", "volatility"}
    for figure, judged in found["figures"].items():
        more = ["har_x"] if figure == "volatility" else []
        assert set(judged["skill"]) == {"random", "returns", "volatility", "mean", *more}
        assert judged["verdict"] in ("better", "no better", "worse")
        assert judged["n"] > 50
    assert found["sentence"].startswith("What followed the most similar windows")
    said = call(capsys, ["evaluate", run.folder])
    assert "Foretold by what followed the 10 most similar windows of the past" in said.out.replace("\n", " ")
    bootstrap.backtest(run)
    page = bootstrap.report(run).html.read_text(encoding="utf-8")
    assert "Foretold by the 10 most similar windows of the past: volatility." in page


def test_the_look_up_of_test_windows_does_not_know_what_comes_later(run, tmp_path):
    """Judged again on a history that goes on otherwise behind the test windows that are asked about."""
    candles = bootstrap.load_candles(run.recipe)
    dataset = Dataset.of(run.recipe, candles)
    (series,) = dataset.series
    classifier = load_artifact(run.artifact).classifier()
    asked = np.arange(800, 900, 7)
    values = series.values.copy()
    values[901:] = values[901:][::-1]
    other = SimpleNamespace(**{
        name: getattr(dataset, name) for name in ("recipe", "companions", "targets")
    }, series=(type(series)(
        instrument=series.instrument, timeframe=series.timeframe, open_time_ms=series.open_time_ms, values=values
    ),))  # fmt: skip
    followed = _followed(dataset, 0)
    later = np.where(np.arange(len(series))[:, None] > 896, 7.0, followed)
    ours, theirs = (_look_up(one, classifier, 0, asked, what, 0) for one, what in ((dataset, followed), (other, later)))
    for name in ours:
        assert np.array_equal(ours[name], theirs[name], equal_nan=True), name
