import subprocess
import sys

import pytest

from triptych.bootstrap.locking import exclusive
from triptych.domain.errors import RunError, StorageError

HOLD = """
import sys, time, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_another_process_holds_is_refused_and_free_again_once_it_is_killed(tmp_path, holder):
    with pytest.raises(RunError) as caught, exclusive(tmp_path / "lock", what="runs/mine", timeout_s=0.05):
        pass
    assert str(caught.value) == "Another process is at work on runs/mine. Wait until it has ended, or end it."
    holder.kill()
    holder.wait()
    with exclusive(tmp_path / "lock", what="runs/mine", timeout_s=0.05):
        pass


def test_a_place_that_cannot_hold_a_lock_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match=r"^runs/mine could not be locked: (Not a directory|File exists)\."),
        exclusive(tmp_path / "file" / "lock", what="runs/mine", timeout_s=0.05),
    ):
        pass


def test_an_error_inside_frees_the_lock(tmp_path):
    for _ in range(2):
        with pytest.raises(ValueError, match="inside"), exclusive(tmp_path / "lock", what="x", timeout_s=0.05):
            raise ValueError("inside")
