import json

import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.domain.errors import RecipeError
from triptych.settings.variant import Variant


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    variants = (
        Variant(name="Another seed!", changes={"seed": 4}),
        Variant(name="wider window", changes={"window.length": 20}),
    )
    folder = tmp_path_factory.mktemp("recipe")
    overrides = ("training.epochs=1", "data.synthetic.n_candles=700")
    return micro_recipe(folder, *overrides).model_copy(update={"ablation": variants})


@pytest.fixture(scope="module")
def ablation(recipe, tmp_path_factory):
    return bootstrap.ablate(recipe, folder=tmp_path_factory.mktemp("ablation") / "out")


def test_every_variant_is_a_run_and_a_row_in_order(ablation):
    assert [row["variant"] for row in ablation.rows] == ["micro", "Another seed!", "wider window"]
    assert [row["run"] for row in ablation.rows] == ["0-micro", "1-another-seed", "2-wider-window"]
    assert all((ablation.folder / row["run"] / "run.json").exists() for row in ablation.rows)
    assert json.loads((ablation.folder / "ablation.json").read_text())["rows"] == json.loads(json.dumps(ablation.rows))


def test_the_difference_is_that_of_the_two_correlations_on_common_samples(ablation):
    base, other, wider = ablation.rows
    assert "difference" not in base
    assert other["difference"]["value"] == pytest.approx(other["mcc"]["value"] - base["mcc"]["value"], abs=1e-12)
    assert other["difference"]["low"] <= other["difference"]["value"] <= other["difference"]["high"]
    assert wider["difference"]["value"] == pytest.approx(wider["mcc"]["value"] - base["mcc"]["value"], abs=1e-12)
    assert base["tested"] == other["difference"]["n"] == wider["difference"]["n"] == wider["own_tested"]
    assert base["own_tested"] > base["tested"]


def test_all_variants_learn_from_the_time_at_which_the_latest_of_them_can(recipe, ablation):
    firsts = []
    for row in ablation.rows:
        run = bootstrap.open_run(ablation.folder / row["run"])
        dataset = Dataset.of(run.recipe, bootstrap.load_candles(run.recipe))
        samples = dataset.samples(dataset.folds[0].train)
        firsts.append(int(samples.time_ms[0]))
        assert row["learned"] == [len(samples)]
    assert len(set(firsts)) == 1
    alone = Dataset.of(recipe, bootstrap.load_candles(recipe))
    assert int(alone.samples(alone.folds[0].train).time_ms[0]) < firsts[0]


def test_every_variant_counts_as_a_trial_for_all(ablation):
    assert [row["trials"] for row in ablation.rows] == [3, 3, 3]


def test_what_is_complete_is_not_done_again(recipe, ablation):
    told = []
    again = bootstrap.ablate(recipe, folder=ablation.folder, tell=told.append)
    assert again.rows == ablation.rows
    assert sum("is complete already" in line for line in told) == 3
    assert not any("Epoch" in line for line in told)


def test_a_recipe_without_variants_has_nothing_to_compare(tmp_path):
    with pytest.raises(RecipeError) as caught:
        bootstrap.ablate(micro_recipe(tmp_path), folder=tmp_path / "out")
    assert str(caught.value) == (
        "micro names no variants. Add a table to the recipe: [[ablation]] with name and changes."
    )
    assert not (tmp_path / "out").exists()
