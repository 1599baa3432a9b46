"""A recipe whose network reads what a network of patterns says, the whole way through."""

import shutil
from pathlib import Path

import pytest
from tests.fakes.micro import micro_recipe
from tests.fakes.pattern_networks import LEARNT, saved_candle_network, saved_chart_network

from triptych import bootstrap
from triptych.bootstrap import ablation_planning
from triptych.bootstrap.explaining import explain_decision
from triptych.bootstrap.foreseeing import Foresight
from triptych.bootstrap.pattern_networks import pinned, refuse_taught
from triptych.bootstrap.run_folder import open_run, recipe_hash
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.inference import FactorRows, load_artifact
from triptych.inference.pattern_card import hash_of
from triptych.settings import load_recipe, variants_of
from triptych.settings.variant import Variant

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


ABLATION = (
    'features.names=["return_1"]', "features.window=20", "encoding.name=sequence", "encoding.factors=1",
    "features.pattern_networks.use=false", "model.name=gru", "model.sequence.width=8", "training.epochs=1",
    "model.sequence.labels_per_parameter=0",
)  # fmt: skip


def with_variants(recipe):
    variants = (
        Variant(name="a network", changes={"features.pattern_networks.use": True}),
        Variant(name="another seed", changes={"seed": 5}),
    )
    return recipe.model_copy(update={"ablation": variants})


def test_a_variant_reads_the_network_that_the_user_names_and_its_encoding_draws_what_it_says(tmp_path):
    folder = saved_candle_network(tmp_path / "net")
    named = micro_recipe(tmp_path, *ABLATION, f"features.pattern_networks.folders=['{folder}']")
    found = bootstrap.ablate(with_variants(named), folder=tmp_path / "out", only=["a network"])
    base, read = (open_run(tmp_path / "out" / row["run"]).recipe for row in found.rows)
    assert (base.features.pattern_networks.folders, base.encoding.factors) == ((), 1)
    assert (len(read.features.pattern_networks.hashes), read.encoding.factors) == (1, 1 + 2 * len(LEARNT))
    assert found.rows[1]["comparable"]


def test_a_network_that_is_named_and_not_read_is_told_of(tmp_path):
    told, folder = [], saved_candle_network(tmp_path / "net")
    named = micro_recipe(tmp_path, *ABLATION, f"features.pattern_networks.folders=['{folder}']")
    run = bootstrap.train(named, folder=tmp_path / "run", tell=told.append, progress_bar=False)
    assert run.recipe.features.pattern_networks.folders == ()
    assert told[0] == (
        f"Not read: {folder}, since features.pattern_networks.use is false here. features.pattern_networks.use=true "
        "reads them, and so do those variants of `triptych ablate` that say so."
    )


def test_a_variant_that_reads_a_network_which_is_not_named_is_left_out(tmp_path):
    recipe = micro_recipe(tmp_path, *ABLATION)
    told, why = [], "micro reads a network of patterns, and features.pattern_networks.folders names none."
    found = ablation_planning._asked(with_variants(recipe), (), (), told.append, Foresight())
    assert list(found[0]) == ["micro", "another seed"]
    assert found[1] == {"a network": why}
    assert told[0] == f"a network is left out: {why}"
    with pytest.raises(RecipeError) as refused:
        bootstrap.train(variants_of(with_variants(recipe))["a network"], folder=tmp_path / "run")
    assert str(refused.value) == (
        f"{why} Train one with `triptych patterns train --out DIR` or `triptych patterns train-candles FILE "
        "--out DIR`, and add --set 'features.pattern_networks.folders=[\"DIR\"]'."
    )


def test_the_shipped_recipe_asks_a_network_without_another_word(tmp_path):
    """Beside the rules, instead of them, and of either kind: the encoding draws what is read."""
    for folder, count in (
        (saved_candle_network(tmp_path / "a"), len(LEARNT)),
        (saved_chart_network(tmp_path / "b"), 15),
    ):
        recipe = load_recipe("chart_patterns", [f"features.pattern_networks.folders=['{folder}']"])
        drawn = {name: pinned(one) for name, one in variants_of(recipe).items()}
        assert [one.encoding.factors for one in drawn.values()] == [24, 8, 2, 24 + count, 8 + count]
        assert all(len(FactorRows(one.features).columns) == one.encoding.factors for one in drawn.values())


def test_the_shipped_recipe_of_candle_patterns_asks_for_all_of_them_and_for_a_network(tmp_path):
    """With TA-Lib's, without, and a network beside them or instead: the encoding draws what is read."""
    folder = saved_candle_network(tmp_path / "a")
    recipe = load_recipe("candle_patterns", [f"features.pattern_networks.folders=['{folder}']"])
    drawn = {name: pinned(one) for name, one in variants_of(recipe).items()}
    count = len(LEARNT)
    assert [one.encoding.factors for one in drawn.values()] == [8 + 61, 8, 8 + 61 + count, 8 + count]
    assert all(len(FactorRows(one.features).columns) == one.encoding.factors for one in drawn.values())
    told = []
    assert len(ablation_planning._asked(load_recipe("candle_patterns"), (), (), told.append, Foresight())[0]) == 2
    assert len(told) == 2
