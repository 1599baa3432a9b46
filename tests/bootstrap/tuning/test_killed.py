"""kill -9 of `triptych tune`, then the same command; and two workers at once."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.tuning import search_file

from triptych import bootstrap
from triptych.settings import load_recipe

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def command(folder, *more):
    return ["tune", str(search_file(folder)), "--out", str(folder / "runs" / "search"), "--no-refit", "--json", *more]


def run(*arguments, module=("-c", "from triptych.cli import main; main()")):
    return subprocess.run(
        [sys.executable, *module, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False
    )


def die(folder, name, count):
    said = run(*command(folder), name, str(count), module=("-m", "tests.fakes.killed_search"))
    assert said.returncode == -signal.SIGKILL, said.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the search finds when nobody disturbs it."""
    folder = tmp_path_factory.mktemp("whole")
    return bootstrap.tune(load_recipe(str(search_file(folder))), folder=folder / "search", refits=False).results


def facts(results):
    rows = [row for row in results["leaderboard"] if row["outcome"] != "worker died"]
    return sorted((row["changes"]["training.learning_rate"], row["mcc"]) for row in rows if row["outcome"] == "judged")


@pytest.mark.slow
def test_killed_in_the_middle_of_a_training_it_goes_on_and_loses_nothing(whole, tmp_path):
    die(tmp_path, "fit.json", 4)  # the second fold of the second candidate is trained, and nothing of it is known yet
    journal = tmp_path / "runs" / "search" / "journal.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "tri')  # and the last line was torn
    said = run(*command(tmp_path))
    assert said.returncode == 0, said.stderr
    results = json.loads(said.stdout)
    died = [row for row in results["leaderboard"] if row["outcome"] == "worker died"]
    assert len(died) == 1
    assert len(results["leaderboard"]) == 6
    again = [row for row in results["leaderboard"] if row["changes"] == died[0]["changes"] and row is not died[0]]
    assert [row["outcome"] in ("judged", "given up") for row in again] == [True]
    assert len(set(facts(results)) & set(facts(whole))) >= 2


@pytest.mark.slow
def test_two_workers_share_one_study(tmp_path):
    said = run(*command(tmp_path, "--workers", "2", "--trials", "6"))
    assert said.returncode == 0, said.stderr
    results = json.loads(said.stdout)
    assert len(results["leaderboard"]) == 6
    assert sorted(row["trial"] for row in results["leaderboard"]) == [0, 1, 2, 3, 4, 5]
    text = (tmp_path / "runs" / "search" / "journal.log").read_text()
    workers = {json.loads(line)["user_attr"]["worker"] for line in text.splitlines() if '"worker":' in line}
    assert len(workers) == 2
    assert not list((tmp_path / "runs" / "search" / "workers").glob("*.lock"))
