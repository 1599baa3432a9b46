import re
import subprocess
import sys

import pytest
import typer.main

import triptych
from triptych.cli import app


def commands(group=None, path=()) -> list[tuple[tuple[str, ...], object]]:
    group = group or typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():
        found.append(((*path, name), command))
        if hasattr(command, "commands"):
            found += commands(command, (*path, name))
    return found


ALL = commands()


def test_the_commands_are_those_of_the_documentation():
    assert [" ".join(path) for path, _ in ALL] == [
        "demo", "encodings", "render", "train", "evaluate", "backtest", "report", "predict", "explain",
        "similar", "live", "dashboard", "kill", "reconcile",
        "ablate", "tune", "leaderboard", "profile", "leak-probe",
        "data", "data synth", "data fetch", "data instruments", "data record", "data import", "data check", "data list",
        "exchange", "exchange serve", "recipe", "recipe list", "recipe show",
        "patterns", "patterns find", "patterns train", "patterns candles", "patterns train-candles", "regimes",
        "regimes show", "regimes alarms",
        "books", "books recipe", "books invent", "books train", "books report", "books walls", "books spoofing",
        "books impact",
        "journal", "journal show", "journal export",
        "anomaly", "anomaly channels", "anomaly fit", "anomaly score", "anomaly watch", "anomaly report", "anomaly run",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_and_every_option_says_what_it_does(path, command):
    assert command.help
    for parameter in command.params:
        assert parameter.help, parameter.name


@pytest.mark.parametrize("path", [(), *(path for path, _ in ALL)], ids=" ".join)
def test_help_is_printed_on_stdout(run_command, path):
    said = run_command(*path, "--help")
    assert (said.status, said.err) == (0, "")
    assert "Usage: triptych" in said.out


def shown(text: str) -> str:
    """What remains of a text when lines are broken and framed anywhere."""
    return re.sub(r"[\s│╭╮╰╯─]+", "", text)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_help_shows_every_word_in_square_brackets(run_command, monkeypatch, path, command):
    monkeypatch.setenv("COLUMNS", "400")
    said = shown(run_command(*path, "--help").out)
    for text in (command.help, *(parameter.help for parameter in command.params)):
        for bracketed in re.findall(r"\[[^\]]*\]", text):
            assert shown(bracketed) in said


def test_some_help_has_words_in_square_brackets():
    texts = [parameter.help for _, command in ALL for parameter in command.params]
    assert sum("[default: " in text for text in texts) > 10


def test_the_version_is_printed(run_command):
    assert run_command("--version").out == f"{triptych.__version__}\n"


HEAVY = """
import sys
from triptych.cli import main
try:
    main(["--help"])
except SystemExit as ending:
    assert ending.code == 0
print(sorted({"torch", "lightning", "polars", "onnxruntime", "sklearn", "scipy", "plotly"} & set(sys.modules)))
"""


def test_help_imports_no_heavy_library():
    said = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trian",), "No such command 'trian'"),
        (("train",), "Missing argument 'RECIPE'"),
        (("predict", "runs/x"), "Missing option '--data'"),
        (("train", "demo", "--epochs", "3"), "No such option: --epochs"),
        (
            ("leak-probe", "demo", "--cuts", "0"),
            "Invalid value for '--cuts': Input should be greater than or equal to 1",
        ),
        (("predict", "runs/x", "--data", "a.csv", "--backend", "abacus"), "'abacus' is not one of 'onnx', 'torch'"),
        (
            ("data", "synth", "--out", "a.csv", "--signal", "2"),
            "Invalid value for '--signal': Input should be less than or equal to 1",
        ),
    ],
)
def test_wrong_use_ends_with_status_2_on_stderr(run_command, arguments, words):
    said = run_command(*arguments)
    assert (said.status, said.out) == (2, "")
    assert words in " ".join(said.err.replace("│", " ").split())


def test_the_package_runs_as_the_command():
    said = subprocess.run([sys.executable, "-m", "triptych", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == triptych.__version__
