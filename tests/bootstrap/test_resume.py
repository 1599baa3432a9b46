"""kill -9 of `triptych train`, then the same command: it goes on and ends as if it had never been killed."""

import json
import multiprocessing
import signal
from pathlib import Path

import pytest
from tests.fakes.killed_command import command_and_die
from tests.fakes.micro import MICRO


@pytest.fixture(scope="module")
def processes():
    """Processes that start from one that has everything imported."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(Path(__file__).parents[2]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["triptych.bootstrap", "triptych.cli"])
    yield context
    patch.undo()


@pytest.fixture
def kill(processes, tmp_path):
    (tmp_path / "micro.toml").write_text(MICRO)
    arguments = ["train", str(tmp_path / "micro.toml"), "--out", str(tmp_path / "runs" / "run"), "--json"]

    def run(name: str, count: int = 1, moment: str = "before") -> list[str]:
        process = processes.Process(target=command_and_die, args=(arguments, name, count, moment))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        return arguments

    return run


def same_result(folder: Path, expected: Path) -> None:
    """Everything that training made is the same, byte for byte, and nothing is left over."""
    for name in ("evaluation.json", "predictions.parquet", "quality.json", "recipe.toml"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    for name in (
        "artifact/weights.safetensors", "artifact/model.onnx", "artifact/card.json", "training/history.csv",
        "training/fit.json", "training/weights.safetensors",
    ):  # fmt: skip
        assert (folder / "folds/0" / name).read_bytes() == (expected / "folds/0" / name).read_bytes(), name
    records = [json.loads((f / "run.json").read_text()) for f in (folder, expected)]
    for record in records:
        del record["environment"]
    assert records[0] == records[1]
    assert not [path.name for path in folder.rglob(".*")]


def test_killed_at_one_stage_after_the_other_it_ends_as_if_it_had_never_been_killed(kill, triptych, tmp_path, trained):
    run = tmp_path / "runs" / "run"
    fold = run / "folds" / "0"

    def status() -> str:
        return json.loads((run / "run.json").read_text())["status"]

    kill("checkpoint.ckpt", count=2)  # in the middle of training, after the first checkpoint
    assert (fold / "training/checkpoint.ckpt").exists()
    assert not (fold / "training/fit.json").exists()
    assert status() == "training"
    told = triptych("backtest", run)
    assert told.status == 2
    assert f"The run {run} is not trained to its end." in told.error

    kill("artifact")  # the training has ended, the export has not
    assert (fold / "training/fit.json").exists()
    assert list(fold.glob(".artifact.*.tmp"))
    weights = (fold / "training/weights.safetensors").stat().st_mtime_ns

    kill("predictions.parquet")
    artifact = (fold / "artifact/model.onnx").stat().st_mtime_ns
    kill("predictions.parquet", moment="after")
    assert (run / "predictions.parquet").exists()
    assert not (run / "evaluation.json").exists()
    kill("evaluation.json")
    kill("card.json")
    assert json.loads((fold / "artifact/card.json").read_text())["metrics"] == {}
    arguments = kill("run.json", count=2)
    assert status() == "training"

    again = triptych(*arguments)
    assert (again.status, json.loads(again.out)["run"], status()) == (0, str(run), "trained")
    assert (fold / "training/weights.safetensors").stat().st_mtime_ns == weights
    assert (fold / "artifact/model.onnx").stat().st_mtime_ns == artifact
    same_result(run, trained)
    assert [len(marks) for marks in json.loads((tmp_path / "runs/trials.json").read_text()).values()] == [1]


@pytest.mark.parametrize(
    ("name", "moment"), [("recipe.toml", "before"), ("recipe.toml", "after"), ("run.json", "before")]
)
def test_killed_while_the_run_is_made_it_is_made_again(kill, triptych, tmp_path, name, moment):
    arguments = kill(name, moment=moment)
    run = tmp_path / "runs" / "run"
    assert not (run / "run.json").exists()
    told = triptych(*arguments[:2], "--out", run, "--set", "training.accelerator=gpu", "--json")
    assert "holds no run" in told.error or "finds no GPU" in told.error  # another recipe is told apart
    kill("quality.json", moment="before")
    assert json.loads((run / "run.json").read_text())["status"] == "new"
    assert not list(run.glob(".recipe*"))
