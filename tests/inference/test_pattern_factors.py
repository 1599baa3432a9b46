"""Networks of patterns as factors, and an artifact that carries them."""

import shutil

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.fakes.market import walk
from tests.fakes.pattern_networks import LEARNT, candle_network, saved_candle_network, saved_chart_network

from triptych.domain.errors import ArtifactError, RecipeError
from triptych.features._history import History
from triptych.features.chart_patterns import PATTERNS
from triptych.images import create_encoding
from triptych.inference import Card, FactorRows, WindowClassifier, load_artifact, save_artifact
from triptych.inference.inputs import Config as InputsConfig
from triptych.inference.pattern_card import hash_of
from triptych.inference.pattern_factors import Config, pattern_factors
from triptych.models import create_model

LENGTH = 16
SERIES = walk(260, seed=4)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("networks")
    saved_candle_network(home / "candles")
    saved_chart_network(home / "charts")
    return home


def history(n=260, start=0):
    part = SERIES.between(start, n)
    return History(part.values, part.open_time_ms, part.timeframe.milliseconds)


def test_each_pattern_that_was_learnt_has_a_probability_and_a_quality(home):
    factors = pattern_factors(Config(folders=(str(home / "charts"), str(home / "candles"))))
    names = [f"{name}_{what}" for name in (*PATTERNS, *LEARNT) for what in ("probability", "quality")]
    assert [one.name for one in factors] == names
    assert {(one.family, one.lookback, one.settle) for one in factors} == {
        ("pattern_network", 47, 47), ("pattern_network", 15, 15),
    }  # fmt: skip
    by_name = {one.name: one.compute(history()) for one in factors}
    said = candle_network().over(SERIES.values)[:, 0]
    probability, quality = by_name["engulfing_up_probability"], by_name["engulfing_up_quality"]
    assert np.isnan(probability[:15]).all()
    np.testing.assert_allclose(probability[15:], said[:, 0], rtol=0, atol=0.00051)
    np.testing.assert_allclose(quality[15:], said[:, 0] * said[:, 1], rtol=0, atol=0.00051)
    assert np.isfinite(by_name["double_top_probability"][47:]).all()


def test_patterns_are_chosen_by_name_also_those_with_few_examples(home):
    config = Config(folders=(str(home / "candles"),), labels=("hammer_up",), quality=False)
    assert [one.name for one in pattern_factors(config)] == ["hammer_up_probability"]
    with pytest.raises(RecipeError) as refused:
        pattern_factors(config.model_copy(update={"labels": ("double_top",)}))
    assert str(refused.value) == (
        "features.pattern_networks.labels: no network names 'double_top'. Known: engulfing_up, engulfing_down, "
        "doji_up, hammer_up."
    )


@pytest.mark.parametrize("cut", [48, 49, 150, 259])
def test_no_factor_changes_when_more_history_follows_or_older_history_is_cut(home, cut):
    factors = pattern_factors(Config(folders=(str(home / "charts"), str(home / "candles"))))
    whole, short, late = history(), history(cut), history(start=cut - 48)
    for one in factors:
        np.testing.assert_array_equal(one.compute(short), one.compute(whole)[:cut])
        np.testing.assert_array_equal(one.compute(late)[47:], one.compute(whole)[cut - 1 :])


def test_rows_hold_them_behind_the_named_factors(home):
    rows = FactorRows(
        InputsConfig(names=("return_1",), window=20, pattern_networks=Config(folders=(str(home / "candles"),)))
    )
    assert rows.columns[:3] == ("return_1", "engulfing_up_probability", "engulfing_up_quality")
    assert rows.warm_up == 15 + 19
    assert np.isfinite(rows.rows(SERIES)[rows.warm_up :]).all()


def test_two_networks_of_one_kind_are_refused(home):
    with pytest.raises(RecipeError) as refused:
        pattern_factors(Config(folders=(str(home / "candles"), str(home / "candles"))))
    assert str(refused.value) == (
        "features.pattern_networks.folders names two networks of candle patterns. Name one of chart patterns and one "
        "of candle patterns at most."
    )


def test_a_network_of_regimes_names_no_patterns(home, tmp_path):
    folder = shutil.copytree(home / "candles", tmp_path / "regimes")
    card = (folder / "card.json").read_text()
    (folder / "card.json").write_text(card.replace('"kind": "candle_patterns"', '"kind": "regimes"'))
    with pytest.raises(RecipeError, match=r"names a network of regimes, which names no patterns\. Use it by"):
        pattern_factors(Config(folders=(str(folder),)))


def test_another_network_in_the_folder_is_noticed(home):
    with pytest.raises(ArtifactError) as refused:
        pattern_factors(Config(folders=(str(home / "candles"),), hashes=("0" * 64,)))
    assert str(refused.value) == (
        f"{home / 'candles'} holds another network than the one the recipe was made with. Bring that network back, or "
        "empty features.pattern_networks.hashes and train a run of its own."
    )


def test_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(ValidationError, match="hashes must be as many as folders, or none"):
        Config(folders=("a",), hashes=("b", "c"))
    with pytest.raises(ValidationError, match="pattern_networks stand beside factors: name some under names"):
        InputsConfig(pattern_networks=Config(folders=("a",)))


@pytest.fixture(scope="module")
def carrying(home, tmp_path_factory):
    """An artifact whose network reads what two networks say, on a machine on which their folders do not exist."""
    place = tmp_path_factory.mktemp("away")
    there = {name: str(shutil.copytree(home / name, place / name)) for name in ("charts", "candles")}
    networks = Config(folders=(there["charts"], there["candles"]), labels=("double_top", "doji_up"))
    features = InputsConfig(names=("return_1",), window=20, pattern_networks=networks)
    rows = FactorRows(features)
    model, encoding = {"name": "lstm", "sequence": {"width": 8}}, {"name": "sequence", "factors": len(rows.columns)}
    torch.manual_seed(0)
    drawing = create_encoding(length=LENGTH, **encoding)
    classifier = WindowClassifier(drawing, create_model(in_chans=drawing.channels, num_classes=3, **model))
    card = Card(
        name="carries", length=LENGTH, columns=len(rows.columns), features=features.model_dump(mode="json"),
        timeframe="1h", symbols=("A",), encoding=encoding, model=model, parameters=1, target={}, splits=[],
        period=("a", "b"), data_hash="0", metrics={}, seed=5, versions={},
    )  # fmt: skip
    known = rows.rows(SERIES)[rows.warm_up :]
    save_artifact(place / "artifact", classifier, card, np.stack([known[i : i + LENGTH] for i in range(0, 80, 20)]))
    answers = classifier(torch.from_numpy(rows.rows(SERIES)[-LENGTH:][None])).softmax(dim=1).detach().numpy()
    for folder in there.values():
        shutil.rmtree(folder)
    return place / "artifact", answers


def test_an_artifact_carries_them_and_answers_where_their_folders_are_not(carrying, home):
    folder, answers = carrying
    artifact = load_artifact(folder)
    networks = artifact.card.features["pattern_networks"]
    assert networks["folders"] == ["pattern_networks/chart_patterns", "pattern_networks/candle_patterns"]
    assert networks["hashes"] == [hash_of(home / "charts"), hash_of(home / "candles")]
    found = artifact.predictor().over(SERIES, np.array([259]))
    np.testing.assert_allclose(found, answers, rtol=0, atol=1e-4)
    assert artifact.seen().names[1] == "double_top_probability"


def test_the_last_candles_alone_give_what_the_whole_history_gives(carrying):
    folder, answers = carrying
    predictor = load_artifact(folder).predictor()
    last = SERIES.between(len(SERIES) - predictor.length, len(SERIES))
    found = predictor.over(last, np.array([len(last) - 1]))
    np.testing.assert_allclose(found, answers, rtol=0, atol=1e-4)


def test_a_changed_network_inside_an_artifact_is_noticed(carrying, tmp_path):
    moved = shutil.copytree(carrying[0], tmp_path / "artifact")
    path = moved / "pattern_networks" / "candle_patterns" / "card.json"
    path.write_text(path.read_text().replace("OLD", "NEW"))
    with pytest.raises(ArtifactError) as refused:
        load_artifact(moved)
    assert refused.value.message == f"{path} is damaged: it is not the file its card was written for."
