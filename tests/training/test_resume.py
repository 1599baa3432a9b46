"""A training that is killed and started again ends as one that was never interrupted. Real processes, real SIGKILL."""

import multiprocessing
import signal
from functools import cache
from pathlib import Path

import pytest
import torch
from tests.fakes.killed_training import train, train_and_die, window_sets

from triptych.training.trainer import Config, FitResult

BATCH = 32
CONFIGS = {
    "cosine": Config(epochs=4, batch_size=BATCH, early_stopping=0),
    "plateau": Config(
        epochs=6, batch_size=BATCH, schedule="plateau", plateau_patience=0, early_stopping=2, ema=0.8,
        sampling="balanced", class_weights="balanced", uniqueness_weights=True, label_smoothing=0.1, learning_rate=0.02,
    ),
}  # fmt: skip
STEPS = len(window_sets()[0]) // BATCH


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["triptych.training.trainer"])
    return context


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    @cache
    def run(name: str) -> tuple[Path, FitResult]:
        folder = tmp_path_factory.mktemp(name)
        return folder, train(folder, CONFIGS[name])

    return run


def killed(
    processes, folder: Path, config: Config, *, batch: int = 0, file: str = "", moment: str = "", count: int = 1
):
    process = processes.Process(target=train_and_die, args=(folder, config, batch, file, moment, count))
    process.start()
    process.join()
    return process.exitcode


def assert_same(folder: Path, config: Config, expected: tuple[Path, FitResult]) -> None:
    result = train(folder, config)
    whole_folder, whole = expected
    assert result.history == whole.history
    assert (result.best_epoch, result.stopped_early) == (whole.best_epoch, whole.stopped_early)
    assert result.state.keys() == whole.state.keys()
    assert all(torch.equal(result.state[name], value) for name, value in whole.state.items())
    names = {"fingerprint.json", "fit.json", "history.csv", "weights.safetensors"}
    assert {path.name for path in folder.iterdir()} - {p.name for p in folder.glob(".*.tmp")} == names
    for name in names:
        assert (folder / name).read_bytes() == (whole_folder / name).read_bytes(), name


@pytest.mark.parametrize(
    ("name", "death"),
    [
        ("cosine", {"batch": 3}),
        ("cosine", {"batch": STEPS + STEPS // 2}),
        ("plateau", {"batch": 2 * STEPS + STEPS // 2}),
        ("plateau", {"file": "checkpoint.ckpt", "moment": "before", "count": 2}),
        ("plateau", {"file": "checkpoint.ckpt", "moment": "after", "count": 3}),
    ],
    ids=[
        "before the first checkpoint",
        "in the second epoch",
        "in the third epoch",
        "while a checkpoint is written",
        "after a checkpoint",
    ],
)
def test_a_killed_training_resumes_and_ends_the_same(processes, uninterrupted, tmp_path, name, death):
    assert killed(processes, tmp_path, CONFIGS[name], **death) == -signal.SIGKILL
    assert not (tmp_path / "fit.json").exists()
    assert_same(tmp_path, CONFIGS[name], uninterrupted(name))


@pytest.mark.parametrize("file", ["weights.safetensors", "fit.json"])
def test_killed_while_the_result_is_written_it_ends_the_same_without_training(processes, uninterrupted, tmp_path, file):
    assert killed(processes, tmp_path, CONFIGS["plateau"], file=file, moment="before") == -signal.SIGKILL
    assert_same(tmp_path, CONFIGS["plateau"], uninterrupted("plateau"))


def test_killed_in_every_epoch_it_still_ends_the_same(processes, uninterrupted, tmp_path):
    deaths = 0
    while killed(processes, tmp_path, CONFIGS["cosine"], batch=STEPS + 2) == -signal.SIGKILL:
        deaths += 1
    assert deaths == 3
    assert_same(tmp_path, CONFIGS["cosine"], uninterrupted("cosine"))


def test_the_plateau_recipe_cuts_its_rate_and_stops_early_so_that_resuming_it_means_something(uninterrupted):
    _, whole = uninterrupted("plateau")
    assert len({record.learning_rate for record in whole.history}) > 1
    assert whole.stopped_early
    assert 3 < len(whole.history) < 6
