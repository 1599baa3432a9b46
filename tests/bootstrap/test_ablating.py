import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
from rich.console import Console
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.backtest.difference import EquityCurve
from triptych.bootstrap.ablation_comparing import Answers, compared, returns_compared
from triptych.bootstrap.ablation_page import write_ablation_page
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.foreseeing import Foresight
from triptych.bootstrap.learning import is_trained
from triptych.cli.ablation_tables import ablation_tables
from triptych.domain.errors import RecipeError, RunError, TriptychError
from triptych.market.frames import to_panel
from triptych.settings.variant import Variant
from triptych.training.samples import Samples


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


def test_all_variants_learn_from_the_same_time_on(ablation):
    firsts = []
    for row in ablation.rows:
        run = bootstrap.open_run(ablation.folder / row["run"])
        dataset = Dataset.of(run.recipe, bootstrap.load_candles(run.recipe))
        samples = dataset.samples(dataset.folds[0].train)
        firsts.append(int(samples.time_ms[0]))
        assert row["learned"] == [len(samples)]
    assert len(set(firsts)) == 1


def test_every_variant_counts_as_a_trial_for_all(ablation):
    assert [row["trials"] for row in ablation.rows] == [3, 3, 3]


def test_what_is_tried_beside_an_ablation_is_counted_with_its_variants(ablation, tmp_path):
    assert not list(ablation.folder.rglob("trials.json"))
    runs = tmp_path / "runs"
    shutil.copytree(ablation.folder, runs / "ablation")
    shutil.copy(ablation.folder.parent / "trials.json", runs / "trials.json")
    winner = shutil.copytree(runs / "ablation" / "1-another-seed", runs / "winner")
    judged = bootstrap.backtest(bootstrap.open_run(winner), overrides=["strategy.enter=0.4"])
    assert judged["trials"] == 4
    assert bootstrap.backtest(bootstrap.open_run(runs / "ablation" / "0-micro"))["trials"] == 4


def test_what_is_complete_is_not_done_again(recipe, ablation):
    told = []
    again = bootstrap.ablate(recipe, folder=ablation.folder, tell=told.append)
    assert again.rows == ablation.rows
    assert sum("is complete already" in line for line in told) == 3
    assert not any("Epoch" in line for line in told)


def test_one_variant_may_be_asked_and_the_rest_later_in_the_same_folder(recipe, ablation, tmp_path):
    told, folder = [], tmp_path / "out"
    for name in ("0-micro", "2-wider-window"):
        shutil.copytree(ablation.folder / name, folder / name)
    found = bootstrap.ablate(recipe, folder=folder, only=["wider window"], tell=told.append)
    assert [row["variant"] for row in found.rows] == ["micro", "wider window"]
    assert [row["run"] for row in found.rows] == ["0-micro", "2-wider-window"]
    assert sum("is complete already" in line for line in told) == 2
    with pytest.raises(RecipeError) as caught:
        bootstrap.ablate(recipe, folder=folder, only=["wider windows"])
    assert str(caught.value) == ("micro has no variant 'wider windows'. Its variants: Another seed!, wider window.")


def test_what_is_complete_in_the_folder_stays_in_the_table_when_one_variant_is_asked(recipe, ablation, tmp_path):
    folder = shutil.copytree(ablation.folder, tmp_path / "out")
    told = []
    found = bootstrap.ablate(recipe, folder=folder, only=["wider window"], tell=told.append)
    assert [row["variant"] for row in found.rows] == ["micro", "Another seed!", "wider window"]
    assert [row["difference"] for row in found.rows[1:]] == [row["difference"] for row in ablation.rows[1:]]
    assert json.loads((folder / "ablation.json").read_text())["rows"] == json.loads(json.dumps(found.rows))
    assert "Another seed! was trained before and stays in the table." in told
    assert not any("Epoch" in line for line in told)


def test_only_a_run_of_the_same_recipe_on_the_same_candles_is_one_that_stays(recipe, ablation, tmp_path):
    place = ablation.folder / "1-another-seed"
    run = bootstrap.open_run(place)
    look = Foresight().look
    wanted = look(run.recipe).fingerprint
    assert is_trained(wanted, place)
    assert not is_trained(look(run.recipe.model_copy(update={"seed": 5})).fingerprint, place)
    other = run.recipe.data.synthetic.model_copy(update={"seed": 12})
    data = run.recipe.data.model_copy(update={"synthetic": other})
    assert not is_trained(look(run.recipe.model_copy(update={"data": data})).fingerprint, place)
    assert not is_trained(wanted, tmp_path)
    stopped = shutil.copytree(place, tmp_path / "stopped")
    (stopped / "run.json").write_text((place / "run.json").read_text().replace('"trained"', '"training"'))
    assert not is_trained(wanted, stopped)


def test_another_recipe_is_refused_before_the_folder_says_that_it_is_of_it(recipe, ablation, tmp_path):
    folder = shutil.copytree(ablation.folder, tmp_path / "out")
    shutil.rmtree(folder / "0-micro")  # the refusal comes from a later variant than the first
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    training = recipe.training.model_copy(update={"learning_rate": 0.02})
    with pytest.raises(RunError, match="1-another-seed holds another run: recipe differ"):
        bootstrap.ablate(recipe.model_copy(update={"training": training}), folder=folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_a_refusal_advises_is_what_the_command_has(recipe, ablation, tmp_path):
    folder = shutil.copytree(ablation.folder, tmp_path / "out")
    changed = Variant(name="wider window", changes={"window.length": 24})
    with pytest.raises(RunError) as caught:
        bootstrap.ablate(recipe.model_copy(update={"ablation": (recipe.ablation[0], changed)}), folder=folder)
    place = folder / "2-wider-window"
    assert str(caught.value) == (
        f"Variant 'wider window': {place} holds another run: recipe differ. "
        f"Choose another --out, or remove {place} to train it anew."
    )
    told = []
    bootstrap.ablate(recipe, folder=folder, only=["wider window"], tell=told.append)
    assert not any("--fresh" in line for line in told)
    (folder / "2-wider-window" / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"^Variant 'wider window': .*run\.json is damaged.* remove .*2-wider-window to"):
        bootstrap.ablate(recipe, folder=folder)
    found = bootstrap.ablate(recipe, folder=folder, only=["Another seed!"])
    assert [row["variant"] for row in found.rows] == ["micro", "Another seed!"]


def test_in_another_order_or_fewer_the_variants_find_their_runs_under_the_old_numbers(recipe, ablation, tmp_path):
    folder = shutil.copytree(ablation.folder, tmp_path / "out")
    for variants in (recipe.ablation[::-1], recipe.ablation[1:]):
        told = []
        found = bootstrap.ablate(recipe.model_copy(update={"ablation": variants}), folder=folder, tell=told.append)
        runs = {row["variant"]: row["run"] for row in found.rows}
        every = {"micro": "0-micro", "Another seed!": "1-another-seed", "wider window": "2-wider-window"}
        assert runs == {name: every[name] for name in ("micro", *(one.name for one in variants))}
        assert not any("Epoch" in line for line in told)
    assert f"No variants of this recipe as it is, and left as they are in {folder}: 1-another-seed." in told


def test_a_training_that_fails_names_its_variant_and_the_repeat_goes_on(recipe, ablation, tmp_path):
    folder = shutil.copytree(ablation.folder, tmp_path / "out")
    place = folder / "2-wider-window"
    record = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps(record | {"status": "training"}))
    whole = {one: one.read_bytes() for one in (place / "folds" / "0" / "training").iterdir()}
    for one in whole:
        one.write_bytes(b"damaged")
    with pytest.raises(TriptychError, match=r"^Variant 'wider window': ") as caught:
        bootstrap.ablate(recipe, folder=folder)
    assert caught.value.remedy.endswith("The same command then goes on where it was.")
    for one, content in whole.items():
        one.write_bytes(content)
    told = []
    assert bootstrap.ablate(recipe, folder=folder, tell=told.append).rows == ablation.rows
    assert sum("is complete already" in line for line in told) == 2


def test_what_a_variant_earned_more_is_told_in_points_over_the_candles_that_both_trade(ablation):
    base, other, wider = ablation.rows
    assert "return_difference" not in base
    found = other["return_difference"]
    assert found["value"] == pytest.approx(other["total_return"] - base["total_return"], abs=1e-12)
    assert found["low"] < found["value"] < found["high"]
    later = wider["return_difference"]
    assert later["n"] < found["n"]
    assert later["value"] == pytest.approx(later["ours"] - later["theirs"])


def test_a_return_is_held_against_the_recipes_where_the_times_overlap_or_not_at_all(recipe):
    closes = np.arange(200, dtype=np.int64) * 3_600_000
    levels = 1000 * np.cumprod(1 + np.random.default_rng(0).normal(0, 0.01, 200))
    theirs = EquityCurve(time_ms=closes, equity=levels, initial_capital=1000.0)
    later = EquityCurve(time_ms=closes + closes[-1] + 1, equity=levels, initial_capital=1000.0)
    none = returns_compared(recipe, [later], [theirs])
    assert (none["value"], none["reason"]) == (None, "The backtests have no time in common.")
    same = returns_compared(recipe, [theirs], [theirs])
    assert (same["value"], same["low"]) == (0.0, None)
    assert same["reason"] == "Its equity is that of the recipe at every close."


def test_the_same_predictions_are_called_so_and_have_no_interval_of_zeros(recipe, ablation, tmp_path):
    labels = np.random.default_rng(9).integers(0, 3, 120).tolist()
    found = compared(recipe, {"base": [answers(labels, range(120))], "stops": [answers(labels, range(120))]})
    told = {"value": 0.0, "low": None, "high": None, "n": 120, "reason": "Its predictions are those of the recipe."}
    assert found["stops"]["difference"] == told
    rows = [dict(row) for row in ablation.rows]
    rows[1]["difference"] = told
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(ablation_tables(rows)[0])
    text = console.export_text()
    assert "predictions" in text
    assert "0.00 .. 0.00" not in text
    assert "same predictions" in write_ablation_page(tmp_path / "page.html", "micro", [1], rows).read_text()


def test_a_recipe_without_variants_has_nothing_to_compare(tmp_path):
    with pytest.raises(RecipeError) as caught:
        bootstrap.ablate(micro_recipe(tmp_path), folder=tmp_path / "out")
    assert str(caught.value) == (
        "micro names no variants. Add a table to the recipe: [[ablation]] with name and changes."
    )
    assert not (tmp_path / "out").exists()


def test_a_variant_that_reads_books_which_are_not_there_is_left_out(recipe, tmp_path):
    (series,) = load_candles(recipe).series
    to_panel([series]).write_parquet(tmp_path / "candles.parquet")
    book = Variant(name="book", changes={"encoding.name": "book_imbalance", "encoding.levels": 3})
    on_file = micro_recipe(
        tmp_path, "training.epochs=1", "data.source=file", f"data.path={tmp_path / 'candles.parquet'}"
    )
    with pytest.raises(RecipeError) as caught:
        bootstrap.ablate(on_file.model_copy(update={"ablation": (book,)}), folder=tmp_path / "out")
    reason = "micro reads 3 levels of order book a side, and data.books.path names no recording."
    assert str(caught.value) == (
        f"There is nothing to compare: {reason} Name the recordings of order books beside the candles in "
        "data.books.path, the weights in model.other_markets.path, the networks in "
        "features.pattern_networks.folders."
    )
    told = []
    variants = (book, Variant(name="other seed", changes={"seed": 4}))
    found = bootstrap.ablate(
        on_file.model_copy(update={"ablation": variants}), folder=tmp_path / "out", tell=told.append
    )
    assert [row["variant"] for row in found.rows] == ["micro", "other seed"]
    assert found.left_out == {"book": reason}
    assert f"book is left out: {reason}" in told
    assert json.loads((tmp_path / "out" / "ablation.json").read_text())["left_out"] == {"book": reason}


def answers(labels, times, seed=0):
    n = len(labels)
    samples = Samples(
        instrument=np.zeros(n, dtype=np.int64), index=np.arange(n), label=np.array(labels, dtype=np.int64),
        time_ms=np.array(times, dtype=np.int64) * 3_600_000, end_ms=(np.array(times) + 1) * 3_600_000,
        uniqueness=np.ones(n),
    )  # fmt: skip
    said = np.random.default_rng(seed).dirichlet(np.ones(3), n)
    folds = (np.arange(n) >= n // 2).astype(np.int64)
    return Answers(samples=samples, symbols=np.array(["A"] * n), folds=folds, said=said, learned=[n])


def test_skill_is_that_on_the_windows_that_all_comparable_variants_have(recipe):
    labels = np.random.default_rng(9).integers(0, 3, 120).tolist()
    found = compared(
        recipe,
        {
            "base": [answers(labels, range(120))],
            "late": [answers(labels[20:], range(20, 120), seed=1)],
            "early": [answers(labels[:100], range(100), seed=2)],
            "other labels": [answers([0] * 10 + [1] * 110, range(120), seed=3)],
            "another time": [answers(labels, range(500, 620), seed=4)],
        },
    )
    assert [row["tested"] for row in found.values()] == [80, 80, 80, 120, 120]
    assert [row["own_tested"] for row in found.values()] == [120, 100, 100, 120, 120]
    assert [row["comparable"] for row in found.values()] == [True, True, True, False, False]
    differing = sum(a != b for a, b in zip(labels, [0] * 10 + [1] * 110, strict=True))
    assert found["other labels"]["reason"] == f"Its labels are others: {differing} of 120 common test windows."
    assert found["another time"]["reason"] == "It shares no test window with the recipe."
    assert found["other labels"]["difference"]["value"] is None
    assert found["late"]["difference"]["value"] == pytest.approx(
        found["late"]["mcc"]["value"] - found["base"]["mcc"]["value"]
    )


def test_the_table_is_read_in_eighty_columns_and_says_what_each_variant_learned_from(ablation):
    rows = [dict(row) for row in ablation.rows]
    rows[1] |= {"comparable": False, "reason": "Its labels are others: 12,345 of 23,456 common test windows."}
    rows[2] |= {"variant": "a variant with a name as long as it may be, sixty characters", "learned": [12_345, 23_456]}
    console = Console(width=80, record=True, file=io.StringIO())
    for part in ablation_tables(rows):
        console.print(part)
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\u2026" not in text
    words = " ".join(text.split())
    for expected in (
        "12,345",
        "23,456",
        "not comparable",
        "Its labels are others",
        f"{rows[0]['tested']} test windows",
    ):
        assert expected in words


def test_the_page_holds_a_narrow_table_for_each_variant(ablation):
    page = (ablation.folder / "ablation.html").read_text()
    for row in ablation.rows:
        assert row["variant"] in page
        assert row["verdict"] in page
    assert page.count("Windows to learn from, by fold") == 3
    assert "<script src" not in page


def test_a_variant_that_says_one_class_only_is_told_in_words(recipe, ablation, tmp_path):
    labels = np.random.default_rng(9).integers(0, 3, 60).tolist()
    silent, other = answers(labels, range(60)), answers(labels, range(60), seed=1)
    silent.said[:] = [0.2, 0.5, 0.3]
    found = compared(recipe, {"base": [other], "silent": [silent]})
    assert [row["only_class"] for row in found.values()] == [None, "hold"]
    assert found["silent"]["mcc"]["value"] == 0

    found = compared(recipe, {"base": [other, silent], "silent": [silent, silent]})
    assert [row["only_class"] for row in found.values()] == [None, "hold"]

    silent.said[:30] = [0.6, 0.2, 0.2]
    labels[:] = [0] * 30 + [1] * 30  # every answer is right, and none is a skill within its fold
    other = answers(labels, range(60), seed=1)
    silent = dataclasses.replace(other, said=silent.said)
    found = compared(recipe, {"base": [other], "silent": [silent]})
    assert [row["only_class"] for row in found.values()] == [None, "sell or hold"]
    assert found["silent"]["mcc"]["value"] == 0

    rows = [dict(row) for row in ablation.rows]
    rows[0] |= {"only_class": "hold", "mcc": {"value": 0.0, "low": 0.0, "high": 0.0}}
    rows[1] |= {"only_class": "hold", "mcc": {"value": 0.0, "low": 0.0, "high": 0.0}}
    console = Console(width=80, record=True, file=io.StringIO())
    for part in ablation_tables(rows):
        console.print(part)
    text = console.export_text()
    assert "hold only" in text
    assert "0.00 .. 0.00" not in text
    assert "both one class" in text
    assert (
        "Only: said one class for every window of a fold, which is no skill whatever comes, so there is no interval."
        in " ".join(text.split())
    )
    page = write_ablation_page(tmp_path / "page.html", "micro", [1], rows).read_text()
    assert "0: hold only" in page
    assert "0: both say one class only" in page
    assert "0: it said hold for every window of a fold" in page
