import io
import json
import shutil

import numpy as np
import pytest
from rich.console import Console
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.cli.ablation_tables import ablation_tables
from triptych.domain.errors import RecipeError, RunError
from triptych.settings.variant import Variant

SMALL = ("training.epochs=1", "data.synthetic.n_candles=700")


def with_variants(folder, *overrides):
    other = Variant(
        name="narrower", changes={"model.width": 0.05, "costs.taker_fee": 0.002}
    )  # dearer, so that its returns differ
    return micro_recipe(folder, *SMALL, *overrides).model_copy(update={"ablation": (other,)})


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def ablation(tmp_path_factory, told):
    """Two seeds; the second was made before by a plain ablation of it, as `--set seed=2` does."""
    folder = tmp_path_factory.mktemp("recipe")
    home = folder / "runs" / "over"
    bootstrap.ablate(with_variants(folder, "seed=2"), folder=home / "seed-2")
    return bootstrap.ablate_over_seeds(with_variants(folder), seeds=2, folder=home, tell=told.append)


def test_each_seed_is_an_ablation_in_its_folder_and_one_made_before_is_taken_up(ablation, told):
    assert ablation.seeds == [1, 2]
    assert sum("is complete already" in line for line in told) == 2
    before = told.index("Seed 2, 2 of 2.")
    assert any(line.startswith("Epoch") for line in told[:before])
    assert not any(line.startswith("Epoch") for line in told[before:])
    for seed in (1, 2):
        own = json.loads((ablation.folder / f"seed-{seed}" / "ablation.json").read_text())
        assert own["seed"] == seed
        assert [row["variant"] for row in own["rows"]] == ["micro", "narrower"]


def test_a_row_holds_means_over_seeds_and_what_each_said(ablation):
    for row in ablation.rows:
        first, second = row["seeds"]
        assert (first["run"], second["seed"]) == (f"seed-1/{first['run'].split('/')[1]}", 2)
        assert (ablation.folder / first["run"] / "run.json").exists()
        assert row["mcc"]["by_seed"] == pytest.approx([one["mcc"]["value"] for one in row["seeds"]])
        assert row["mcc"]["value"] == pytest.approx(np.mean(row["mcc"]["by_seed"]))
        assert row["mcc"]["low"] <= row["mcc"]["value"] <= row["mcc"]["high"]
        returns = [one["total_return"] for one in row["seeds"]]
        assert 1 + row["total_return"] == pytest.approx(np.prod([1 + one for one in returns]) ** 0.5)
        assert row["return_range"] == [min(returns), max(returns)]
        assert row["trades"] == np.mean([one["trades"] for one in row["seeds"]])
    base, narrower = ablation.rows
    found = narrower["difference"]
    assert found["value"] == pytest.approx(np.mean([one["difference"]["value"] for one in narrower["seeds"]]))
    assert found["low"] <= found["value"] <= found["high"]
    found = narrower["return_difference"]
    assert found["by_seed"] == pytest.approx([one["return_difference"]["value"] for one in narrower["seeds"]])
    assert found["value"] == pytest.approx(narrower["total_return"] - base["total_return"])
    assert found["low"] < found["value"] < found["high"]


def test_verdicts_are_counted_and_the_file_holds_the_rows(ablation):
    for row in ablation.rows:
        assert row["verdict"].count(" of 2)") == len({one["verdict"] for one in row["seeds"]})
    content = json.loads((ablation.folder / "ablation.json").read_text())
    assert content["seeds"] == [1, 2]
    assert content["rows"] == json.loads(json.dumps(ablation.rows))
    page = (ablation.folder / "ablation.html").read_text()
    assert page.count("Seed 2") == 2
    assert "noise of training" in page


def test_every_run_of_every_seed_is_a_trial_in_the_ledger_beside_the_ablation(ablation):
    assert [row["trials"] for row in ablation.rows] == [4, 4]
    runs = ablation.folder.parent
    ledger = json.loads((runs / "trials.json").read_text())
    assert sorted(len(marks) for name, marks in ledger.items() if name != "periods") == [4]
    winner = shutil.copytree(ablation.folder / "seed-2" / "1-narrower", runs / "winner")
    assert bootstrap.backtest(bootstrap.open_run(winner), overrides=["strategy.enter=0.4"])["trials"] == 5


def test_the_table_over_seeds_is_read_in_eighty_columns(ablation):
    rows = [dict(row) for row in ablation.rows]
    rows[0] |= {"variant": "a variant with a name as long as it may be, sixty characters", "learned": [12_345, 23_456]}
    rows[1] |= {"return_range": [-0.8123, 1.5], "total_return": -0.8123, "trades": 12_345.0}
    rows[1]["return_difference"] = {**rows[1]["return_difference"], "low": -1.2345, "high": 31.564}
    console = Console(width=80, record=True, file=io.StringIO())
    for part in ablation_tables(rows, 2):
        console.print(part)
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\u2026" not in text
    assert "narrower" in text  # the names keep their width
    words = " ".join(text.split())
    for expected in ("means of 2 seeds", "noise of training", "[-81..150]", "-123 .. 3156", "12,345"):
        assert expected in words


def test_what_cannot_be_an_ablation_over_seeds_is_refused(ablation, tmp_path):
    recipe = with_variants(tmp_path)
    with pytest.raises(RecipeError, match="cannot be asked over 1 seeds from 1 on"):
        bootstrap.ablate_over_seeds(recipe, seeds=1, folder=tmp_path / "out")
    with pytest.raises(RunError, match="holds an ablation of one seed"):
        bootstrap.ablate_over_seeds(recipe, seeds=2, folder=ablation.folder / "seed-1")
    with pytest.raises(RunError, match="holds an ablation over seeds"):
        bootstrap.ablate(recipe, folder=ablation.folder)


def test_another_recipe_is_refused_before_anything_of_the_folder_is_written_over(ablation, tmp_path):
    """The second seed holds the old recipe: the description of the folder and that of the first seed stay as well."""
    home = tmp_path / "over"
    shutil.copytree(ablation.folder / "seed-2", home / "seed-2")
    kept = (ablation.folder / "ablation.toml").read_text()
    for place in (home, home / "seed-1"):
        place.mkdir(exist_ok=True)
        (place / "ablation.toml").write_text(kept)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="seed-2/0-micro holds another run: recipe differ"):
        bootstrap.ablate_over_seeds(with_variants(tmp_path, "training.learning_rate=0.02"), seeds=2, folder=home)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_variant_that_a_seed_lacks_is_said_to_be_left_out_of_the_table_over_seeds(ablation, tmp_path):
    """One was trained by the first seed only, and another is asked now: as `--only` with more seeds does."""
    dearer = Variant(name="dearer", changes={"costs.taker_fee": 0.002})
    recipe = with_variants(tmp_path)
    recipe = recipe.model_copy(update={"ablation": (*recipe.ablation, dearer)})
    home = tmp_path / "over"
    shutil.copytree(ablation.folder, home)
    shutil.rmtree(home / "seed-2" / "1-narrower")
    told = []
    found = bootstrap.ablate_over_seeds(recipe, seeds=2, folder=home, only=["dearer"], tell=told.append)
    assert [row["variant"] for row in found.rows] == ["micro", "dearer"]
    why = "seed 2 has no complete run of it. Ask for it by --only too, or for all."
    assert found.left_out == {"narrower": why}
    assert json.loads((home / "ablation.json").read_text())["left_out"] == {"narrower": why}
    assert f"narrower is left out of the table over seeds: {why}" in told
    assert [line for line in told if "trained before" in line] == [
        "narrower was trained before and stays in the table of seed 1."
    ]
    own = json.loads((home / "seed-1" / "ablation.json").read_text())
    assert [row["variant"] for row in own["rows"]] == ["micro", "narrower", "dearer"]


def test_a_variant_that_sets_the_seed_is_refused_over_seeds(tmp_path):
    other = Variant(name="another seed", changes={"seed": 4})
    recipe = with_variants(tmp_path).model_copy(update={"ablation": (other,)})
    with pytest.raises(RecipeError) as caught:
        bootstrap.ablate_over_seeds(recipe, seeds=2, folder=tmp_path / "out")
    assert str(caught.value) == (
        "micro, variant 'another seed' sets seed = 4: it would be the same run by each of 2 seeds, as if its training "
        "had no noise. Take seed out of its changes, or the variant out of the recipe; --seeds trains the recipe "
        "itself by other seeds."
    )
    assert not (tmp_path / "out").exists()
