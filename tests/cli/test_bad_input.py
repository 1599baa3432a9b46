"""Bad input: a clear error with the remedy on stderr, exit status 2, nothing on stdout, nothing half-written."""

import json
import re
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.candles import make_series
from tests.fakes.micro import MICRO

from triptych.market import to_frame

HEADER = "timestamp,open,high,low,close,volume"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "micro.toml").write_text(MICRO)
    return tmp_path / "micro.toml"


@pytest.fixture
def lines():
    """A good CSV as lines: a header and 300 candles."""
    frame = to_frame(make_series(1_672_617_600_000 + np.arange(300) * 900_000, seed=3))
    return frame.write_csv().splitlines()


@pytest.fixture
def refused(run_command, tmp_path):
    """Run a command that must be refused, and return its error in one line. What there was stays as it was."""

    def contents() -> dict[Path, bytes]:
        return {
            path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and not path.name.endswith("lock")
        }

    def run(*arguments: object) -> str:
        before = contents()
        said = run_command(*arguments)
        assert (said.status, said.out) == (2, "")
        assert contents() == before
        message = said.error
        assert "Traceback" not in message
        assert "What to do: " in message
        return message[message.index("Error: ") :]

    return run


def written(tmp_path: Path, lines: list[str], name: str = "AAA_15m.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return path


def with_cell(lines: list[str], row: int, column: str, value: str) -> list[str]:
    cells = lines[row].split(",")
    cells[HEADER.split(",").index(column)] = value
    return [*lines[:row], ",".join(cells), *lines[row + 1 :]]


def test_an_unknown_recipe_key(refused, tmp_path, recipe):
    recipe.write_text(MICRO.replace("epochs = 3", "epoch = 3"))
    for command in (("train", recipe, "--out", tmp_path / "run"), ("leak-probe", recipe), ("recipe", "show", recipe)):
        assert refused(*command) == (
            f"Error: {recipe}: Unknown key 'training.epoch'. Did you mean 'epochs'? "
            "What to do: `triptych recipe show` prints every key with its meaning."
        )


def test_a_wrong_value_of_set(refused, recipe, tmp_path):
    said = refused("train", recipe, "--out", tmp_path / "run", "--set", "training.epochs=-1")
    assert said.startswith(f"Error: {recipe}: training.epochs: Input should be greater than or equal to 1 (was -1).")


def test_a_missing_column(refused, tmp_path, recipe, lines):
    path = written(tmp_path, [line.rpartition(",")[0].rpartition(",")[0] for line in lines])
    for command in (
        ("train", recipe, "--data", path, "--out", tmp_path / "run"),
        ("data", "import", path, "--store", tmp_path / "store"),
        ("data", "check", path),
    ):
        said = refused(*command)
        assert said.startswith("Error: AAA_15m.csv: no column for close among 'timestamp', 'open', 'high', 'low'.")
        assert "--column close=NAME" in said


def test_a_hole_in_a_csv_is_named_with_file_row_and_column(refused, tmp_path, recipe, lines):
    path = written(tmp_path, with_cell(lines, 41, "high", "NaN"))
    for command in (
        ("train", recipe, "--data", path, "--out", tmp_path / "run"),
        ("data", "import", path, "--store", tmp_path / "store"),
    ):
        said = refused(*command)
        assert said.startswith("Error: AAA_15m.csv: line 42, column high (2023-01-02 10:00:00 UTC): ")
        assert "--repair" in said
    assert "In a recipe: data.repair = true." in refused("train", recipe, "--data", path, "--out", tmp_path / "run")


def test_disorder_is_sorted_and_said_but_contradictions_are_refused(refused, run_command, tmp_path, lines):
    swapped = written(tmp_path, [*lines[:50], lines[60], *lines[50:60], *lines[61:]])
    said = run_command("data", "import", swapped, "--store", tmp_path / "store")
    assert said.status == 0
    assert "Note: " in said.out
    twice = written(tmp_path, [*lines, with_cell(lines, 60, "volume", "1.5")[60]], "BBB_15m.csv")
    refusal = refused("data", "import", twice, "--store", tmp_path / "store")
    assert refusal.startswith("Error: BBB_15m.csv: line 61 and line 302 both hold BBB at 2023-01-02 14:45:00 UTC, ")
    assert "`--duplicates first` or `--duplicates last`" in refusal


def test_too_little_data(refused, tmp_path, recipe, lines, trained):
    path = written(tmp_path, lines[:12])
    assert refused("train", recipe, "--data", path, "--out", tmp_path / "run").startswith(
        "Error: AAA: 11 candles are left, fewer than the window of 16. What to do: Widen data.start and data.end"
    )
    assert refused("predict", trained, "--data", path).startswith(
        "Error: AAA: 11 candles are fewer than the model's window of 16. What to do: Bring at least 16 candles."
    )
    path = written(tmp_path, lines[:120])
    assert refused("train", recipe, "--data", path, "--out", tmp_path / "run").startswith(
        "Error: The train segment of fold 0 (2023-01-02 00:00:00 to "
    )
    assert not (tmp_path / "run").exists()


def test_a_missing_file(refused, tmp_path, recipe, trained):
    nope = tmp_path / "nope.csv"
    for command in (
        ("train", recipe, "--data", nope), ("leak-probe", recipe, "--data", nope), ("predict", trained, "--data", nope),
        ("data", "check", nope), ("data", "import", nope, "--store", tmp_path / "store"),
    ):  # fmt: skip
        assert refused(*command) == f"Error: There is no file {nope}. What to do: Check the path."


def test_a_file_of_something_else(refused, tmp_path, recipe):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    assert "picture.png" in refused("data", "check", tmp_path / "picture.png")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1" + bytes(100))
    assert "damaged.parquet: the file is damaged" in refused("train", recipe, "--data", tmp_path / "damaged.parquet")


@pytest.mark.parametrize("name", ["model.onnx", "weights.safetensors", "card.json"])
def test_a_corrupt_artifact(refused, run_folder, tmp_path, lines, name):
    path = run_folder / "folds" / "0" / "artifact" / name
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    said = refused("predict", run_folder, "--data", written(tmp_path, lines))
    assert said.startswith(f"Error: {path} is damaged: " if name != "card.json" else f"Error: {path} cannot be read: ")
    assert said.endswith("What to do: Train or export the model again, or copy the folder anew.")
    assert str(path) in refused("backtest", run_folder)


def test_a_card_that_describes_another_network(refused, run_folder, tmp_path, lines):
    artifact = run_folder / "folds" / "0" / "artifact"
    card = json.loads((artifact / "card.json").read_text())
    for change, words in (
        ({"model": {**card["model"], "name": "efficientnet_b99"}}, "Unknown model 'efficientnet_b99'"),
        (
            {"model": {**card["model"], "checkpoint_path": "x"}},
            "multiple values for keyword argument 'checkpoint_path'",
        ),
        ({"encoding": {"name": "gasf", "sise": 3}}, "gasf has no option 'sise', perhaps 'size' is meant. "),
        ({"encoding": {}}, "missing 1 required positional argument: 'name'"),
    ):
        (artifact / "card.json").write_text(json.dumps(card | change))
        said = refused("predict", run_folder, "--data", written(tmp_path, lines), "--backend", "torch")
        assert said.startswith(f"Error: {artifact / 'card.json'} describes a network that cannot be built: ")
        assert words in said


def test_weights_that_do_not_fit_the_card(refused, run_folder, tmp_path, lines):
    artifact = run_folder / "folds" / "0" / "artifact"
    card = json.loads((artifact / "card.json").read_text())
    (artifact / "card.json").write_text(json.dumps(card | {"model": {**card["model"], "width": 0.2}}))
    said = refused("predict", run_folder, "--data", written(tmp_path, lines), "--backend", "torch")
    assert said.startswith(f"Error: {artifact / 'weights.safetensors'} does not fit the card: ")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("evaluation.json", "evaluate"), ("evaluation.json", "backtest"), ("predictions.parquet", "backtest"),
        ("run.json", "report"), ("backtest/equity.parquet", "report"), ("backtest/backtest.json", "report"),
        ("leak_probe.json", "report"), ("quality.json", "report"),
    ],
)  # fmt: skip
def test_a_damaged_run(refused, run_folder, name, command):
    (run_folder / name).write_bytes((run_folder / name).read_bytes()[:20])
    assert f"{run_folder / name} is damaged" in refused(command, run_folder)


def test_no_run_at_all(refused, tmp_path):
    for command in ("evaluate", "backtest", "report"):
        assert refused(command, tmp_path).startswith(f"Error: {tmp_path} holds no run. What to do: ")
    assert refused("predict", tmp_path, "--data", "x.csv").startswith(
        f"Error: {tmp_path} is neither a run nor an artifact."
    )


def test_another_kind_of_output(refused, tmp_path, trained, lines):
    said = refused("predict", trained, "--data", written(tmp_path, lines), "--out", tmp_path / "p.xlsx")
    assert said == (
        f"Error: Cannot write predictions to {tmp_path / 'p.xlsx'}. "
        "What to do: Choose a name ending in .csv, .parquet or .json."
    )


def test_what_a_backtest_may_not_change(refused, run_folder):
    assert refused("backtest", run_folder, "--set", "window.length=20") == (
        "Error: --set 'window.length=20' would change what was trained. What to do: A backtest may change: strategy, "
        "regimes, sizing, execution, risk, guard, costs, backtest. Train again for anything else."
    )


@contextmanager
def full_disk(limit: int):
    """A limit on the size of files stands in for the disk: every writer meets it for real."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("limit", "command"),
    [
        (600, ("predict", "{run}", "--data", "{csv}", "--out", "{new}/p.parquet")),
        (600, ("predict", "{run}", "--data", "{csv}", "--out", "{new}/p.csv")),
        (600, ("predict", "{run}", "--data", "{csv}", "--out", "{new}/p.json")),
        (600, ("data", "synth", "--out", "{new}/market.parquet")),
        (600, ("data", "synth", "--out", "{new}/market.csv")),
        (50, ("data", "check", "{csv}", "--out", "{new}/report.json")),
        (600, ("data", "import", "{csv}", "--store", "{new}/store")),
        (600, ("recipe", "show", "demo", "--out", "{new}/mine.toml")),
        (2000, ("backtest", "{run}", "--set", "costs.taker_fee=0.001", "-q")),
        (20_000, ("report", "{run}", "-q")),
        (600, ("train", "{recipe}", "--out", "{new}/run", "-q")),
        (60_000, ("train", "{recipe}", "--out", "{new}/run", "-q")),
    ],
    ids=lambda value: value if isinstance(value, int) else " ".join([*value[:2], value[-1].rpartition("/")[2]]),
)
def test_a_full_disk(run_command, tmp_path, run_folder, lines, recipe, limit, command):
    places = {"run": run_folder, "csv": written(tmp_path, lines), "new": tmp_path / "new", "recipe": recipe}
    before = {path: path.read_bytes() for path in run_folder.rglob("*") if path.is_file()}
    with full_disk(limit):
        said = run_command(*(part.format(**places) for part in command))
    assert (said.status, said.out) == (2, "")
    assert re.search(
        r"Error: .* could not be written: File too large( \(os error 27\))?\. What to do: Free some space", said.error
    )
    assert {path: path.read_bytes() for path in run_folder.rglob("*") if path.is_file()} == before
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".tmp", ".old", ".part"))]


def test_after_a_full_disk_the_same_command_goes_on(run_command, tmp_path, recipe):
    run = tmp_path / "run"
    with full_disk(60_000):
        assert run_command("train", recipe, "--out", run, "-q").status == 2
    assert json.loads((run / "run.json").read_text())["status"] == "training"
    with full_disk(2_000_000), pytest.MonkeyPatch.context() as patch:
        patch.setattr("triptych.bootstrap.training.save_artifact", _stop)
        assert run_command("train", recipe, "--out", run, "-q").status == 130
    assert (run / "folds/0/training/fit.json").exists()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
