import json

import pytest
from tests.fakes.tuning import search_file

from triptych.bootstrap import profiling


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Arguments of a small search without a refit, and its folder."""
    folder = tmp_path_factory.mktemp("search")
    out = folder / "runs" / "search"
    return ["tune", search_file(folder), "--out", out, "--trials", 2, "--no-refit"], out


def test_a_search_prints_its_leaderboard_and_leaves_a_report(run_command, searched):
    arguments, out = searched
    said = run_command(*arguments)
    assert said.status == 0, said.err
    assert "2 trials, * chosen, + Pareto front; latency of one window" in " ".join(said.out.split())
    assert f"Report: {out / 'report.html'}" in said.out
    assert "Trial 0, stage 1: model.width = 0.5" in said.error
    assert "Trial 0: mcc " in said.error
    shown = run_command("leaderboard", out)
    assert "2 trials, * chosen, + Pareto front" in shown.out
    content = json.loads(run_command("leaderboard", out, "--json").out)
    assert content == json.loads((out / "tuning.json").read_text())


def test_json_is_one_document(run_command, searched):
    arguments, out = searched
    said = run_command(*arguments, "--json")
    assert said.err == ""
    content = json.loads(said.out)
    assert content["folder"] == str(out)
    assert len(content["leaderboard"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--set", "tune.space={'target.horizon' = [3, 5]}"),
            "Error: tune.space: target.horizon must not vary inside one study",
        ),
        (("--profile", "missing.json"), "Error: There is no file missing.json."),
        (("--set", "tune.budget.latency_ms=-1"), "tune.budget.latency_ms: Input should be greater than 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_one_clear_message(run_command, tmp_path, arguments, words):
    said = run_command("tune", search_file(tmp_path), "--out", tmp_path / "out", *arguments)
    assert (said.status, said.out) == (2, "")
    assert words in said.error
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_search_is_named(run_command, tmp_path):
    said = run_command("leaderboard", tmp_path)
    assert said.status == 2
    assert f"{tmp_path} holds no finished search. What to do: Make one with `triptych tune RECIPE`." in said.error


def test_the_profile_of_this_machine_is_printed_and_saved(run_command, tmp_path, monkeypatch):
    first = dict(list(profiling.REFERENCES.items())[:1])
    steps = dict(list(profiling.STEPS.items())[:1])
    monkeypatch.setattr(profiling, "REFERENCES", first)
    monkeypatch.setattr(profiling, "STEPS", steps)
    monkeypatch.setattr(profiling, "ROUND_S", 0.01)
    said = run_command("profile", "--save", tmp_path / "pc.json", "--json")
    assert said.status == 0, said.err
    content = json.loads(said.out)
    assert content == json.loads((tmp_path / "pc.json").read_text())
    assert list(content["networks"]) == list(first)
    assert list(content["steps"]) == list(steps)
    shown = run_command("profile", "-q").out
    assert "One step of a network, 1 thread, median" in shown
    assert "efficientnet 0.1 on gasf 16" in shown
