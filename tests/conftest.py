"""One small trained run for all tests that look at runs; those that damage it take a copy."""

import os
import shutil
from pathlib import Path

import pytest

# The networks of the tests are too small to share among threads, and on a busy machine threads wait for one another.
# Set before anything imports torch, which is why the fixtures import what they need themselves.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that is trained, backtested and reported. Do not change it."""
    from tests.fakes.micro import micro_recipe

    from triptych import bootstrap

    home = tmp_path_factory.mktemp("trained")
    run = bootstrap.train(micro_recipe(home), folder=home / "run", progress_bar=False)
    bootstrap.report(run)
    return run.folder


@pytest.fixture
def run_folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, in a folder of runs of its own."""
    shutil.copytree(trained, tmp_path / "runs" / "run")
    shutil.copy(trained.parent / "trials.json", tmp_path / "runs" / "trials.json")
    return tmp_path / "runs" / "run"


@pytest.fixture
def triptych(capsys: pytest.CaptureFixture[str]):
    """Run a command of `triptych` through its entry point, in this process."""
    from tests.fakes.micro import Said, call

    def run(*arguments: object) -> Said:
        return call(capsys, arguments)

    return run
