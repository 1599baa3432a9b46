"""A recipe whose network begins with weights that were learnt from other markets."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.building import Dataset, build_classifier
from triptych.bootstrap.candles import load_candles, with_absolute_path
from triptych.bootstrap.other_markets import beginning_of, refuse_foreknown, told
from triptych.bootstrap.probing import opinionated
from triptych.bootstrap.run_folder import open_run, recipe_hash
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.inference import load_artifact
from triptych.inference.artifact import WEIGHTS
from triptych.settings.variant import Variant

SHORT = "data.synthetic.n_candles=700"
LATER = 'data.synthetic.start="2024-03-01"'
ELSEWHERE = ("model.pretrained=other_markets", "data.synthetic.seed=12", "training.epochs=1", SHORT, LATER)


def recipe_of(home, folder, *overrides):
    return micro_recipe(home, *ELSEWHERE, f"model.other_markets.path='{folder}'", *overrides)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A run on another market, whose last candle closed before those of `ELSEWHERE` open."""
    home = tmp_path_factory.mktemp("others")
    return bootstrap.train(micro_recipe(home, "training.epochs=1", SHORT), folder=home / "run", progress_bar=False)


@pytest.fixture(scope="module")
def run(others, tmp_path_factory):
    home = tmp_path_factory.mktemp("begun")
    recipe = recipe_of(home, others.folder)
    heard = []
    made = bootstrap.train(recipe, folder=home / "run", tell=heard.append, progress_bar=False)
    return made, heard


def test_the_first_weights_are_those_of_the_run_with_its_last_layer(others, tmp_path):
    theirs = load_artifact(others.artifact).classifier().network.state_dict()
    for folder in (others.folder, others.artifact):
        ours = build_classifier(recipe_of(tmp_path, folder)).network.state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    fresh = build_classifier(recipe_of(tmp_path, others.folder, "model.pretrained=false")).network.state_dict()
    assert not torch.equal(fresh["conv_stem.weight"], theirs["conv_stem.weight"])


def test_a_network_of_more_questions_takes_all_but_the_last_layer(others, tmp_path):
    theirs = load_artifact(others.artifact).classifier().network
    ours = build_classifier(recipe_of(tmp_path, others.folder, 'training.tasks.names=["size"]')).network.body
    assert torch.equal(ours.conv_stem.weight, theirs.conv_stem.weight)
    assert ours.classifier.weight.shape[0] == 4


def test_the_card_says_what_taught_the_weights_and_the_command_says_it_too(others, run):
    made, heard = run
    card = load_artifact(others.artifact).card
    until = card.splits[0]["validation"]["stop"]
    begun = load_artifact(made.artifact).card.begun
    assert begun == {
        "symbols": list(card.symbols), "timeframe": card.timeframe, "until": until, "hash": card.files[WEIGHTS],
    }  # fmt: skip
    line = f"The network begins with weights taught by {card.timeframe} candles of {card.symbols[0]} until {until}."
    assert line in heard
    assert card.begun == {}


def test_what_taught_the_weights_of_weights_counts_too(run):
    card = load_artifact(run[0].artifact).card
    own = card.splits[0]["validation"]["stop"]
    assert card.taught_until == own
    assert card.model_copy(update={"begun": {**card.begun, "until": "2100-01-01 00:00:00"}}).taught_until == (
        "2100-01-01 00:00:00"
    )


def test_weights_that_know_the_test_are_refused_whatever_their_market(others, tmp_path):
    same_time = recipe_of(tmp_path, others.folder, 'data.synthetic.start="2023-12-31"')
    with pytest.raises(ArtifactError) as refused:
        bootstrap.train(same_time, folder=tmp_path / "run", progress_bar=False)
    until = load_artifact(others.artifact).card.taught_until
    assert f" until {until}, after the start of the test period, 2024-01-0" in refused.value.message
    assert refused.value.message.endswith(": the recipe's network would know what is to come.")
    assert not (tmp_path / "run").exists()


def test_the_limit_is_the_start_of_the_first_test_and_validation_is_told(others, tmp_path):
    recipe = recipe_of(tmp_path, others.folder)
    fold = Dataset.of(recipe, load_candles(recipe)).folds[0]
    until_ms = beginning_of(recipe).until_ms

    def cut(validation, test):
        parts = {"validation": validation, "test": test}
        return [
            dataclasses.replace(
                fold, **{name: dataclasses.replace(getattr(fold, name), start_ms=at) for name, at in parts.items()}
            )
        ]

    refuse_foreknown(recipe, cut(until_ms - 1, until_ms))
    with pytest.raises(ArtifactError, match="would know what is to come"):
        refuse_foreknown(recipe, cut(until_ms - 1, until_ms - 1))
    assert "validation begins" not in told(recipe, cut(until_ms, until_ms + 1))
    assert "where the first validation begins" in told(recipe, cut(until_ms - 1, until_ms))


def test_the_same_weights_elsewhere_are_the_same_run_and_named_but_not_taken_they_are_none(others, run, tmp_path):
    moved = shutil.copytree(others.artifact, tmp_path / "moved")
    marks = [
        recipe_hash(with_absolute_path(recipe_of(tmp_path, folder)).to_toml())
        for folder in (others.folder, moved, run[0].artifact)
    ]
    assert marks[0] == marks[1] != marks[2]
    fresh = [recipe_hash(recipe_of(tmp_path, folder, "model.pretrained=false").to_toml()) for folder in (moved, "")]
    assert fresh[0] == fresh[1] != marks[0]


def test_other_weights_in_the_same_folder_are_noticed(others, run, tmp_path):
    place = shutil.copytree(others.artifact, tmp_path / "weights")
    written = with_absolute_path(recipe_of(tmp_path, place))
    shutil.rmtree(place)
    shutil.copytree(run[0].artifact, place)
    with pytest.raises(ArtifactError, match="holds other weights than those the recipe was made with"):
        with_absolute_path(written)


def test_a_run_is_whole_without_what_it_began_with(run, others, tmp_path):
    made = Path(shutil.copytree(run[0].folder, tmp_path / "run"))
    text = (made / "recipe.toml").read_text()
    (made / "recipe.toml").write_text(text.replace(str(others.folder), str(tmp_path / "gone")))
    assert bootstrap.backtest(open_run(made))["verdict"]["claims_edge"] is False
    gone = open_run(made).recipe
    opinionated(gone, load_candles(gone).series[0])  # of the leak probe


@pytest.mark.parametrize(
    ("overrides", "kind", "message"),
    [
        (['encoding.name="gadf"'], RecipeError, "have learnt to read gasf, and the recipe draws gadf"),
        (["model.width=0.2"], ArtifactError, "does not fit the network"),
        (["model.other_markets.path=''"], RecipeError, "model.other_markets.path names none"),
        (["model.other_markets.path='nowhere'"], ArtifactError, "nowhere is no artifact"),
    ],
)
def test_weights_of_another_network_or_none_are_refused(others, tmp_path, overrides, kind, message):
    with pytest.raises(kind, match=message):
        bootstrap.train(recipe_of(tmp_path, others.folder, *overrides), folder=tmp_path / "run", progress_bar=False)
    assert not (tmp_path / "run").exists()


def test_two_sources_of_weights_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="two sources of weights"):
        recipe_of(tmp_path, "x", "model.checkpoint_path=w.safetensors")


def test_an_ablation_asks_what_they_add_and_leaves_the_row_out_where_none_are_named(others, run, tmp_path):
    variants = (Variant(name="elsewhere", changes={"model.pretrained": "other_markets"}),)
    here = ("data.synthetic.seed=12", "training.epochs=1", SHORT, LATER)
    recipe = micro_recipe(tmp_path, *here).model_copy(update={"ablation": variants})
    with pytest.raises(RecipeError) as caught:
        bootstrap.ablate(recipe, folder=tmp_path / "out")
    assert caught.value.message == (
        "There is nothing to compare: micro begins with weights of other markets, and model.other_markets.path names "
        "none."
    )
    named = micro_recipe(tmp_path, *here, f"model.other_markets.path='{others.folder}'")
    named = named.model_copy(update={"ablation": variants})
    home = tmp_path / "out"
    shutil.copytree(run[0].folder, home / "1-elsewhere")  # the row is this very run
    heard = []
    first, second = bootstrap.ablate(named, folder=home, tell=heard.append).rows
    assert first["variant"] == "micro"
    assert second["variant"] == "elsewhere"
    assert f"{home / '1-elsewhere'} is complete already: same recipe, data, versions and seed." in " ".join(heard)
    assert load_artifact(home / "0-micro" / "folds" / "0" / "artifact").card.begun == {}
    assert second["difference"]["n"] == first["tested"]
