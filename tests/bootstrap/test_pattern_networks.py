"""A recipe whose network reads what a network of patterns says, the whole way through."""

import shutil
from pathlib import Path

import pytest
from tests.fakes.micro import micro_recipe
from tests.fakes.pattern_networks import saved_candle_network

from triptych import bootstrap
from triptych.bootstrap.explaining import explain_decision
from triptych.bootstrap.pattern_networks import pinned, refuse_taught
from triptych.bootstrap.run_folder import open_run, recipe_hash
from triptych.domain.errors import ArtifactError
from triptych.inference import load_artifact
from triptych.inference.pattern_card import hash_of

READS = (
    'features.names=["return_1"]', "features.window=20", "encoding.name=sequence", "encoding.factors=3",
    'features.pattern_networks.labels=["doji_up"]', "model.name=gru", "model.sequence.width=8",
    "model.sequence.labels_per_parameter=0", "training.epochs=1",
)  # fmt: skip


def recipe_of(home, folder, *overrides):
    return micro_recipe(home, *READS, f"features.pattern_networks.folders=['{folder}']", *overrides)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was trained with a network whose folder is gone."""
    home = tmp_path_factory.mktemp("home")
    folder = saved_candle_network(home / "net")
    run = bootstrap.train(recipe_of(home, folder), folder=home / "run", progress_bar=False)
    shutil.rmtree(folder)
    return run


def test_a_run_is_whole_without_the_network_s_folder(run):
    again = open_run(run.folder)
    (folder,) = again.recipe.features.pattern_networks.folders
    assert Path(folder) == run.folder / "folds" / "0" / "artifact" / "pattern_networks" / "candle_patterns"
    assert bootstrap.backtest(again)["verdict"]["claims_edge"] is False
    assert explain_decision(again, method="occlusion").explanation.attribution.any()
    assert load_artifact(again.artifact).card.features["pattern_networks"]["hashes"] == [hash_of(Path(folder))]


def test_the_same_network_elsewhere_is_the_same_run_and_another_one_is_not(tmp_path):
    first = saved_candle_network(tmp_path / "a")
    moved = shutil.copytree(first, tmp_path / "b")
    other = saved_candle_network(tmp_path / "c", symbols=("X",))
    marks = [recipe_hash(pinned(recipe_of(tmp_path, folder)).to_toml()) for folder in (first, moved, other)]
    assert marks[0] == marks[1] != marks[2]
    written = pinned(recipe_of(tmp_path, first))
    assert written.features.pattern_networks.hashes == (hash_of(first),)
    shutil.rmtree(first)
    other.rename(first)
    with pytest.raises(ArtifactError, match="holds another network than the one the recipe was made with"):
        pinned(written)


def test_a_network_that_has_learnt_from_the_test_part_is_refused(tmp_path):
    taught = ("2020-01-01 00:00:00", "2100-01-01 00:00:00")
    folder = saved_candle_network(tmp_path / "net", taught=taught, symbols=("BTC", "ETH"))
    with pytest.raises(ArtifactError) as refused:
        bootstrap.train(recipe_of(tmp_path, folder), folder=tmp_path / "run", progress_bar=False)
    assert refused.value.message.startswith(
        f"The network {folder} was taught by candles of BTC, ETH until 2100-01-01 00:00:00, after the start of the "
        "test period, 20"
    )
    assert refused.value.message.endswith(": the recipe's network would know what is to come.")
    assert not (tmp_path / "run").exists()


def test_what_was_taught_before_or_on_generated_charts_is_not(tmp_path):
    recipe = recipe_of(tmp_path, saved_candle_network(tmp_path / "net"))
    refuse_taught(recipe, 949_363_200_000)
    with pytest.raises(ArtifactError, match=r"until 2000-02-01 00:00:00, after the start of the test period, 2000-01"):
        refuse_taught(recipe, 949_363_199_999)
    refuse_taught(recipe_of(tmp_path, saved_candle_network(tmp_path / "drawn", taught=None)), 0)
