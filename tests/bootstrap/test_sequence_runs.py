"""Recipes whose networks read sequences, the whole way through."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import MICRO

from triptych import bootstrap
from triptych.bootstrap.building import build_classifier
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.inference import load_artifact
from triptych.settings import load_recipe

NAMES = ("return_1", "body", "roc_5")
SEQUENCE = """
[model.sequence]
width = 8
blocks = 2
heads = 2
return_head = true
labels_per_parameter = 0
"""


def recipe_in(folder, *overrides):
    text = MICRO.replace('name = "gasf"', 'name = "sequence"\nfactors = 3')
    text = text.replace('name = "efficientnet_b0"\nwidth = 0.1\ndepth = 0.1', 'name = "xlstm_small"')
    text = text.replace("n_candles = 1000", "n_candles = 1400").replace("epochs = 3", "epochs = 1")
    text += f"{SEQUENCE}\n[features]\nnames = {json.dumps(NAMES)}\nwindow = 30\n"
    path = folder / "sequence.toml"
    path.write_text(text)
    return load_recipe(str(path), overrides)


TIMEFRAMES = (
    "model.name=xlstm_timeframes",
    "model.sequence.periods=[1, 2, 4]",
    "features.periods=[1, 2, 4]",
    "encoding.channels=3",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequence")
    return bootstrap.train(recipe_in(folder), folder=folder / "run")


def test_a_run_is_judged_backtested_and_reported_like_any_other_and_nothing_peeks(run):
    assert json.loads((run.folder / "evaluation.json").read_text())["n"] > 50
    assert bootstrap.backtest(run)["verdict"]["claims_edge"] is False
    assert bootstrap.report(run).html.stat().st_size > 100_000
    probe = json.loads((run.folder / "leak_probe.json").read_text())
    assert probe["passed"]
    assert {"factors", "image (sequence)", "prediction"} <= {row["name"] for row in probe["results"]}


def test_the_stream_is_judged_beside_the_windows(run):
    evaluation = json.loads((run.folder / "evaluation.json").read_text())
    stream, frame = evaluation["stream"], pl.read_parquet(run.folder / "predictions.parquet")
    streamed = frame.select("stream_sell", "stream_hold", "stream_buy").to_numpy()
    windows = frame.select("probability_sell", "probability_hold", "probability_buy").to_numpy()
    assert np.isfinite(streamed).all()
    assert stream["n"] == evaluation["n"]
    assert stream["window"]["value"] == pytest.approx(evaluation["metrics"]["mcc"]["value"])
    assert stream["difference"]["value"] == pytest.approx(stream["stream"]["value"] - stream["window"]["value"])
    assert 0.5 < stream["agreement"] <= 1.0
    assert 0.0 < stream["mean_distance"] <= np.abs(streamed - windows).max()
    assert stream["sentence"].startswith("Asked candle by candle it says the same class on ")
    # A candle at which the memory begins anew is answered from its window alone.
    closes = frame["time"].cast(pl.Int64).to_numpy()
    step = int(np.diff(np.unique(closes)).min())
    renewed = (closes - step) // step % run.recipe.window.length == 0
    assert renewed.any()
    np.testing.assert_allclose(streamed[renewed], windows[renewed], atol=1e-5)


def test_the_foretold_return_is_judged_against_rules(run):
    size = json.loads((run.folder / "evaluation.json").read_text())["tasks"]["size"]
    assert set(size["skill"]) == {"zero", "mean", "persistence"}
    assert -1.0 <= size["rank_correlation"]["low"] <= size["rank_correlation"]["value"] <= 1.0
    assert {"correlation", "sentence", "verdict"} <= set(size)


def test_both_ends_of_the_artifact_and_the_stream_say_what_the_run_recorded(run):
    recipe = run.recipe
    candles = bootstrap.load_candles(recipe)
    artifact = load_artifact(run.artifact)
    assert set(artifact.card.files) == {"model.onnx", "step.onnx", "weights.safetensors"}
    assert artifact.card.onnx_difference < 1e-4
    recorded = pl.read_parquet(run.folder / "predictions.parquet").tail(1)
    expected = recorded.select("probability_sell", "probability_hold", "probability_buy").to_numpy()[0]
    series = candles.series[0]
    end = np.array([len(series) - 1])
    for predictor in (
        artifact.predictor("onnx"),
        artifact.predictor("torch"),
        artifact.streaming_predictor(renewal=1),
        artifact.streaming_predictor("torch", renewal=1),
    ):
        (answer,) = predictor.over(series, end)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)


def test_the_return_is_foretold_through_both_backends(run):
    artifact = load_artifact(run.artifact)
    windows = np.random.default_rng(0).normal(size=(5, 16, 3)).astype(np.float32)
    one, other = (artifact.predictor(backend).returns(windows) for backend in ("onnx", "torch"))
    assert one.shape == (5,)
    assert 0 < np.abs(one).max() < 0.1  # a fraction of the price
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_the_streamed_predictions_of_a_file_are_those_of_the_streaming_predictor(run, tmp_path):
    series = bootstrap.load_candles(run.recipe).series[0]
    fields = dict(zip(("open", "high", "low", "close", "volume"), series.values.T, strict=True))
    path = tmp_path / "candles.parquet"
    pl.DataFrame({"symbol": series.symbol, "timestamp": series.open_time_ms, **fields}).write_parquet(path)
    frame = bootstrap.predict(run.folder, path, last=5, backend="stream")
    ends = np.arange(len(series) - 5, len(series))
    expected = load_artifact(run.artifact).streaming_predictor().over(series, ends)
    found = frame.select("probability_sell", "probability_hold", "probability_buy").to_numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_damaged_step_is_found(run, tmp_path):
    shutil.copytree(run.artifact, tmp_path / "copy")
    (tmp_path / "copy" / "step.onnx").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="is damaged: it is not the file its card was written for"):
        load_artifact(tmp_path / "copy")


def test_longer_timeframes_do_not_peek(tmp_path):
    recipe = recipe_in(tmp_path, *TIMEFRAMES, "model.sequence.selection=true")
    found = bootstrap.leak_probe(recipe, cuts=3)
    assert found["passed"]
    assert all(row["compared"] > 0 for row in found["results"])


def test_a_longer_candle_seen_before_its_close_is_found(tmp_path, monkeypatch):
    from triptych.inference import inputs

    honest = inputs.resample
    monkeypatch.setattr(
        inputs, "resample", lambda series, timeframe, **how: honest(series, timeframe, **how, partial="keep")
    )

    def early(other, series, past_ms=None, *, memory=None):
        return np.searchsorted(other.open_time_ms, series.open_time_ms, side="right") - 1

    monkeypatch.setattr(inputs, "last_closed", early)
    found = bootstrap.leak_probe(recipe_in(tmp_path, *TIMEFRAMES), cuts=3)
    assert not found["passed"]
    assert "factors" in {row["name"] for row in found["results"] if not row["passed"]}


@pytest.mark.parametrize(
    "overrides",
    [
        (*TIMEFRAMES, "model.sequence.slstm_at=[]", "model.sequence.blocks=1"),
        ("model.name=lstm", "model.sequence.selection=true"),
        ("model.name=tcn", "training.ema=0.9"),
    ],
)
def test_every_family_trains_from_a_recipe_and_is_exported(tmp_path, overrides):
    run = bootstrap.train(recipe_in(tmp_path, *overrides, "window.stride=6"), folder=tmp_path / "run")
    artifact = load_artifact(run.artifact)
    assert set(artifact.card.files) == {"model.onnx", "weights.safetensors"}
    with pytest.raises(ArtifactError) as caught:
        artifact.streaming_predictor()
    assert str(caught.value) == (
        f"{run.artifact} cannot answer candle by candle: its network looks at its window as a whole. Predict from "
        "windows, or train an xlstm with sequence.pool = last, one timeframe and no adaptive depth."
    )


def test_timeframes_of_network_and_features_must_be_the_same(tmp_path):
    with pytest.raises(RecipeError) as caught:
        build_classifier(recipe_in(tmp_path, *TIMEFRAMES, "features.periods=[1, 4, 8]"))
    assert str(caught.value) == (
        "xlstm_timeframes reads timeframes of [1, 2, 4] candles, and features.periods makes [1, 4, 8]. "
        "Set features.periods and model.sequence.periods to the same list."
    )


def test_a_network_that_its_labels_cannot_feed_is_refused_before_anything_is_learned(tmp_path):
    recipe = recipe_in(tmp_path, "model.sequence.labels_per_parameter=0.1", "model.sequence.width=64")
    with pytest.raises(RecipeError) as caught:
        bootstrap.train(recipe, folder=tmp_path / "run")
    text = str(caught.value)
    assert text == (
        "xlstm_small has 70,920 parameters. Its 440 windows to learn from are worth 220 independent labels, which feed "
        "2,205. Bring more candles or instruments, or shorten target.horizon. "
        "model.sequence.labels_per_parameter sets the limit, 0 lifts it."
    )
    assert not (tmp_path / "run").exists()
    with pytest.raises(
        RecipeError, match=r"independent labels, which feed 44,.*\. Set model\.width to 0\.75 or model\.depth to "
    ):
        bootstrap.train(
            recipe_in(tmp_path, "model.sequence.labels_per_parameter=0.005", "model.sequence.width=64"),
            folder=tmp_path / "run",
        )
