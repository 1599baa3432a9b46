import json
import shutil
from pathlib import Path

import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap import run_folder as run_folders
from triptych.bootstrap.run_folder import (
    at_work,
    discard,
    open_or_create,
    open_run,
    place_of,
    refuse_other,
    run_fingerprint,
)
from triptych.domain.errors import RunError
from triptych.domain.files import write_text


@pytest.fixture
def recipe(tmp_path):
    return micro_recipe(tmp_path / "recipe")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_records_recipe_data_hash_seed_versions_and_machine(tmp_path, recipe):
    run = open_or_create(recipe, "abc", tmp_path / "run")
    record = run.record
    assert names(run.folder) == ["recipe.toml", "run.json"]
    assert (record["data_hash"], record["seed"], record["status"]) == ("abc", 1, "new")
    assert {"triptych", "python", "torch", "numpy", "polars", "onnxruntime", "lightning"} <= set(record["versions"])
    assert set(record["environment"]) == {"started", "machine"}
    assert record["fingerprint"] == run_fingerprint(recipe, "abc")
    assert open_run(run.folder) == run


def test_the_same_recipe_and_data_find_the_same_run(tmp_path, recipe):
    first = open_or_create(recipe, "abc", tmp_path / "run")
    first.update(status="training")
    assert open_or_create(recipe, "abc", tmp_path / "run").record["status"] == "training"
    assert place_of(recipe, "abc") == place_of(recipe, "abc")
    assert place_of(recipe, "abc") == Path("runs") / f"micro-{run_fingerprint(recipe, 'abc')[:8]}"


def test_where_the_candles_lie_does_not_make_another_run(tmp_path):
    here = micro_recipe(tmp_path / "recipe", source="file", path="/here/a.csv")
    there = micro_recipe(tmp_path / "recipe", source="file", path="/there/a.csv")
    run = open_or_create(here, "abc", tmp_path / "run")
    assert run_fingerprint(here, "abc") == run_fingerprint(there, "abc")
    open_or_create(there, "abc", tmp_path / "run")
    assert open_run(run.folder).recipe == there


@pytest.mark.parametrize(
    ("override", "data_hash", "differing"),
    [("seed=4", "abc", "recipe"), ("seed=1", "other", "candles"), ("seed=4", "other", "recipe and candles")],
)
def test_another_run_in_the_folder_is_refused_and_named(tmp_path, recipe, override, data_hash, differing):
    open_or_create(recipe, "abc", tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(RunError) as caught:
        open_or_create(micro_recipe(tmp_path / "recipe", override), data_hash, tmp_path / "run")
    assert caught.value.message == f"{tmp_path / 'run'} holds another run: {differing} differ."
    assert caught.value.remedy == "Choose another --out, or --fresh to replace it."
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_other_versions_make_another_run(tmp_path, recipe, monkeypatch):
    open_or_create(recipe, "abc", tmp_path / "run")
    monkeypatch.setattr(run_folders, "versions", lambda: {"torch": "99"})
    with pytest.raises(RunError, match=r"holds another run: versions differ\. Choose another"):
        open_or_create(recipe, "abc", tmp_path / "run")


def test_what_a_kill_left_half_written_is_no_other_content(tmp_path, recipe):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".run.json.77-88.tmp").write_text("{")
    refuse_other(recipe, "abc", folder)
    assert open_or_create(recipe, "abc", folder).record["status"] == "new"


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path, recipe):
    write_text(tmp_path / "thesis" / "thesis.tex", "years of work")
    for fresh in (False, True):
        with pytest.raises(RunError) as caught:
            open_or_create(recipe, "abc", tmp_path / "thesis", fresh=fresh)
        assert str(caught.value) == f"{tmp_path / 'thesis'} is not empty and holds no run. Choose another --out."
    assert names(tmp_path / "thesis") == ["thesis.tex"]


def test_a_recipe_of_the_users_own_is_never_written_over(tmp_path, recipe):
    write_text(tmp_path / "mine" / "recipe.toml", "name = 'mine'  # my only copy\n")
    with pytest.raises(RunError, match="is not empty and holds no run"):
        open_or_create(recipe, "abc", tmp_path / "mine")
    assert (tmp_path / "mine" / "recipe.toml").read_text() == "name = 'mine'  # my only copy\n"


def test_a_file_is_no_folder(tmp_path, recipe):
    write_text(tmp_path / "file", "")
    with pytest.raises(RunError, match=r"file is a file\. Choose another --out\.$"):
        open_or_create(recipe, "abc", tmp_path / "file")


def test_killed_while_the_run_was_made_the_same_command_goes_on(tmp_path, recipe):
    write_text(tmp_path / "run" / "recipe.toml", recipe.to_toml())
    write_text(tmp_path / "run" / ".run.json.123-456.tmp", '{"finger')
    with at_work(tmp_path / "run"):
        run = open_or_create(recipe, "abc", tmp_path / "run")
    assert names(run.folder) == ["recipe.toml", "run.json"]


def test_fresh_empties_the_run_and_leaves_what_is_not_part_of_it(tmp_path, recipe):
    run = open_or_create(recipe, "abc", tmp_path / "run")
    run.update(status="trained")
    for name in ("folds/0/training/fit.json", "report.html", "backtest/backtest.json", "notes.txt"):
        write_text(run.folder / name, "old")
    fresh = open_or_create(micro_recipe(tmp_path / "recipe", "seed=4"), "other", run.folder, fresh=True)
    assert names(run.folder) == ["notes.txt", "recipe.toml", "run.json"]
    assert (fresh.record["status"], fresh.record["seed"]) == ("new", 4)


@pytest.mark.parametrize("moved", range(1, len(run_folders.PARTS)))
def test_killed_while_a_run_is_removed_it_is_still_a_run(tmp_path, recipe, monkeypatch, moved):
    run = open_or_create(recipe, "abc", tmp_path / "run")
    run.update(status="trained")
    for name in run_folders.PARTS[:-2]:
        write_text(run.folder / name / "x" if "." not in name else run.folder / name, "old")
    rename, done = Path.rename, []

    def dying(path: Path, target: Path) -> Path:
        if len(done) == moved:
            raise KeyboardInterrupt
        done.append(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dying)
    with pytest.raises(KeyboardInterrupt):
        discard(run.folder)
    monkeypatch.undo()
    with at_work(run.folder):
        assert open_or_create(recipe, "abc", run.folder).record["status"] == "trained"
    assert not list(run.folder.glob(".run*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)."),
        ("[]", "is damaged: it holds no fingerprint, recipe_hash, data_hash, seed, status, versions, environment."),
        ('{"fingerprint": 1, "seed": 2, "versions": {}, "environment": {}, "data_hash": "", "recipe_hash": ""}',
         "is damaged: it holds no status."),
    ],
)  # fmt: skip
def test_a_damaged_record_is_named(tmp_path, recipe, content, message):
    run = open_or_create(recipe, "abc", tmp_path / "run")
    write_text(run.folder / "run.json", content)
    with pytest.raises(RunError) as caught:
        open_run(run.folder)
    assert caught.value.message == f"{run.folder / 'run.json'} {message}"


def test_a_folder_without_a_run_lists_the_known_ones(tmp_path, recipe, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError) as caught:
        open_run(Path("nowhere"))
    assert str(caught.value) == "nowhere holds no run. Make one with `triptych train RECIPE`."
    for name in ("b", "a"):
        open_or_create(recipe, "abc", Path("runs") / name)
    with pytest.raises(RunError, match=r"^nowhere holds no run\. Known runs: runs/a, runs/b\.$"):
        open_run(Path("nowhere"))


def test_a_run_whose_recipe_is_gone_says_so(tmp_path, recipe):
    run = open_or_create(recipe, "abc", tmp_path / "run")
    (run.folder / "recipe.toml").unlink()
    with pytest.raises(RunError) as caught:
        open_run(run.folder)
    assert caught.value.message == f"{run.folder / 'recipe.toml'} is missing."
    open_or_create(recipe, "abc", run.folder)
    assert open_run(run.folder).recipe == recipe


def test_a_recipe_edited_inside_the_run_is_refused_but_the_place_of_its_data_may_change(tmp_path):
    recipe = micro_recipe(tmp_path / "recipe", source="file", path="/old/a.csv")
    run = open_or_create(recipe, "abc", tmp_path / "run")
    path = run.folder / "recipe.toml"
    path.write_text(path.read_text().replace("/old/a.csv", "/new/a.csv"))
    assert open_run(run.folder).recipe.data.path == "/new/a.csv"
    path.write_text(path.read_text().replace("enter = 0.34", "enter = 0.5"))
    with pytest.raises(RunError) as caught:
        open_run(run.folder)
    assert caught.value.message == f"{path} was changed after the run was made."
    assert caught.value.remedy == (
        "Train the changed recipe as a run of its own; a backtest takes changes of trading by --set."
    )


def test_a_run_that_is_not_trained_says_how_to_go_on(tmp_path, recipe):
    run = open_or_create(recipe, "abc", tmp_path / "run")
    with pytest.raises(RunError) as caught:
        run.require_trained()
    assert caught.value.message == f"The run {run.folder} is not trained to its end."
    assert caught.value.remedy == "Repeat the same `triptych train` command: it resumes where it was stopped."


def test_a_copied_run_is_a_run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "copy")
    copy = open_run(tmp_path / "copy")
    copy.require_trained()
    assert copy.artifact == tmp_path / "copy" / "folds" / "0" / "artifact"
    assert json.loads((trained / "run.json").read_text()) == copy.record


def test_one_process_at_a_time_works_on_a_run(run_folder):
    run = open_run(run_folder)
    with at_work(run_folder):
        for command in (
            bootstrap.backtest,
            bootstrap.report,
            lambda run: bootstrap.train(run.recipe, folder=run.folder),
        ):
            with pytest.raises(RunError) as caught:
                command(run)
            assert (
                str(caught.value) == f"Another process is at work on {run_folder}. Wait until it has ended, or end it."
            )
    assert bootstrap.backtest(run)["trials"] == 1
