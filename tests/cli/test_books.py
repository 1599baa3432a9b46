import json

import pytest
from tests.fakes.books import leaning_file

from triptych.market.books import read_books, write_tape
from triptych.market.synthetic.spoofing import Config, simulate_spoofing

TINY = [
    "data.levels=3", "length=20", "target.horizon=10", "data.stride=4", "encoding.levels=3", "model.levels=3",
    "model.width=0.125", "training.epochs=1", "training.batch_size=32", "training.num_threads=1",
    "scoring.resamples=100",
]  # fmt: skip


@pytest.fixture
def books(tmp_path):
    return leaning_file(tmp_path, n=900)


def test_a_network_is_trained_and_reported(run_command, books, tmp_path):
    sets = [part for one in TINY for part in ("--set", one)]
    said = run_command("books", "train", "deeplob", "--data", books, "--out", tmp_path / "run", "--quiet", *sets)
    assert said.status == 0, said.err
    assert "queue imbalance" in said.out
    report = json.loads(run_command("books", "report", tmp_path / "run", "--json").out)
    assert report["verdict"] in " ".join(said.out.split())
    assert run_command("books", "report", tmp_path / "run", "--out", tmp_path / "scores.png").status == 0
    assert (tmp_path / "scores.png").exists()
    assert set(report["scores"]["metrics"]) == {"network", "queue imbalance", "majority"}


def test_invented_books_are_written_by_their_seed(run_command, tmp_path):
    files = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet")]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        said = run_command("books", "invent", "--out", file, "--rows", 300, "--levels", 4, "--seed", seed)
        assert said.status == 0, said.err
    tapes = [read_books(file) for file in files]
    assert (len(tapes[0]), tapes[0].levels) == (300, 4)
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_recipes_are_listed_and_printed(run_command):
    assert run_command("books", "recipe").out.split() == ["deeplob", "fi2010", "heatmap"]
    assert 'name = "deeplob"' in run_command("books", "recipe", "deeplob").out


def test_a_folder_without_a_run_ends_with_status_2(run_command, tmp_path):
    assert run_command("books", "report", tmp_path).status == 2


def test_walls_and_alarms_of_a_file(run_command, tmp_path):
    made = simulate_spoofing(Config(episodes=6, seed=2, large=12.0, lure=6.0))
    file = write_tape(tmp_path / "books.parquet", made.tape)
    walls = run_command("books", "walls", file, "--multiple", "4", "--rows", "5", "--json")
    rows = json.loads(walls.out)
    assert rows
    assert {"price", "side", "size", "rows_stood", "ending", "seen_at"} <= set(rows[0])
    drawn = run_command("books", "walls", file, "--multiple", "4", "--out", tmp_path / "walls.png")
    assert drawn.status == 0
    assert (tmp_path / "walls.png").exists()
    said = run_command("books", "spoofing", file)
    assert said.status == 2
    assert "Spoofing cannot be told without trades." in said.err


def test_impact_of_a_file(run_command, books):
    found = json.loads(run_command("books", "impact", books, "--rows", "5", "--json").out)
    assert [one["name"] for one in found["walk"]] == ["free power", "square root", "line"]
    assert len(found["flow"]) == 3
    assert "R2 out of sample" in run_command("books", "impact", books, "--rows", "5").out


def test_the_rule_is_tried_on_simulated_books(run_command):
    trials = json.loads(run_command("books", "spoofing", "--json", "--seed", "4").out)
    assert [one["threshold"] for one in trials] == [0.1, 0.3, 0.5, 0.7]
    assert all(0 <= one["recall"] <= 1 for one in trials)
