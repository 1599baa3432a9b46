"""One way to write a file: whole or not at all. Full disks are real here: a limit on the size of files."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.domain import files
from triptych.domain.errors import StorageError
from triptych.domain.files import (
    remove_leftovers,
    replace_folder,
    temporary_name,
    write_atomically,
    write_json,
    write_text,
    writing_folder,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_content_is_written_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "folder" / "text.txt"
    assert write_text(path, "één\r\nand two\n") == path
    assert path.read_bytes() == "één\r\nand two\n".encode()
    assert names(path.parent) == ["text.txt"]


def test_the_old_content_stays_when_the_writer_raises(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")

    def half(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise RuntimeError("the writer broke")

    with pytest.raises(RuntimeError, match="the writer broke"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_reader_sees_the_old_content_until_the_new_one_is_complete(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    seen = []

    def write(temporary: Path) -> None:
        temporary.write_text("new")
        seen.append(path.read_text())

    write_atomically(path, write)
    assert [*seen, path.read_text()] == ["old", "new"]


def test_a_full_disk_leaves_the_old_content_and_a_clear_error(tmp_path, monkeypatch):
    path = write_text(tmp_path / "a.txt", "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        write_text(path, "new")
    assert caught.value.message == f"{path} could not be written: No space left on device."
    assert caught.value.remedy == "Free some space or choose another folder."
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


BEYOND_THE_LIMIT = """
import resource, sys
from pathlib import Path
from triptych.domain.errors import StorageError
from triptych.domain.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_bytes(Path(sys.argv[1]), b"x" * 100_000)
except StorageError as error:
    print(error)
"""


def test_a_disk_that_takes_only_part_of_it_leaves_nothing(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    said = subprocess.run([sys.executable, "-c", BEYOND_THE_LIMIT, path], capture_output=True, text=True, check=True)
    assert said.stdout == f"{path} could not be written: File too large. Free some space or choose another folder.\n"
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(StorageError) as caught:
        write_text(tmp_path / "a.txt", "new")
    assert caught.value.message == f"{tmp_path / 'a.txt'} could not be written: Is a directory."
    assert names(tmp_path) == ["a.txt"]


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    write_text(tmp_path / "a", "I am a file")
    with pytest.raises(StorageError, match=r"could not be written: (Not a directory|File exists)"):
        write_text(tmp_path / "a" / "b.txt", "new")


def test_content_and_name_are_flushed_to_the_disk_before_and_after_the_file_takes_its_place(tmp_path, monkeypatch):
    path = write_text(tmp_path / "a.txt", "old")
    flushed, fsync = [], os.fsync

    def note(handle: int) -> None:
        flushed.append((Path(f"/proc/self/fd/{handle}").readlink(), path.read_text()))
        fsync(handle)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to see what was flushed")
    monkeypatch.setattr(os, "fsync", note)
    write_text(path, "new")
    assert flushed == [(temporary_name(path), "old"), (tmp_path, "new")]


def test_json_is_the_same_for_the_same_content(tmp_path):
    one, other = (
        write_json(tmp_path / "a.json", {"b": 1, "a": "é"}),
        write_json(tmp_path / "b.json", {"a": "é", "b": 1}),
    )
    assert one.read_bytes() == other.read_bytes() == '{\n  "a": "é",\n  "b": 1\n}\n'.encode()


def test_json_that_no_other_program_could_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert names(tmp_path) == []


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    for name in (".a.txt.123-456.tmp", ".model.7-8.old", "deep/.b.json.1-2.tmp"):
        write_text(tmp_path / name / "inside" if "model" in name else tmp_path / name, "half")
    for name in (".hidden", "a.tmp", ".a.tmp", ".a.12.tmp", "deep/b.json"):
        write_text(tmp_path / name, "mine")
    assert remove_leftovers(tmp_path) == 2
    assert remove_leftovers(tmp_path, recursive=True) == 1
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == [
        ".a.12.tmp", ".a.tmp", ".hidden", "a.tmp", "deep/b.json",
    ]  # fmt: skip


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path):
    assert remove_leftovers(tmp_path / "nowhere") == remove_leftovers(tmp_path / "nowhere", recursive=True) == 0


WRITE_OFTEN = """
import sys
from pathlib import Path
from triptych.domain.files import write_json
for _ in range(100):
    write_json(Path(sys.argv[1]), {"content": sys.argv[2] * 5000})
"""


def test_several_writers_of_one_file_leave_one_of_their_contents_whole(tmp_path):
    path = tmp_path / "a.json"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE_OFTEN, path, letter]) for letter in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert set(json.loads(path.read_text())["content"]) in ({"a"}, {"b"})
    assert names(tmp_path) == ["a.json"]


def test_systems_without_folder_handles_skip_the_flush_of_the_name(tmp_path, monkeypatch):
    missing, opened = tmp_path / "not even there", []
    with pytest.raises(FileNotFoundError):
        files.sync_folder(missing)
    monkeypatch.setattr(files.os, "open", lambda *given: opened.append(given))
    monkeypatch.setattr(files.os, "name", "nt")
    files.sync_folder(missing)
    assert opened == []


def test_a_folder_takes_the_place_of_another_as_a_whole(tmp_path):
    for name in ("old/a.txt", "old/b.txt", "new/a.txt"):
        write_text(tmp_path / name, name)
    replace_folder(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path) == ["old"]
    assert names(tmp_path / "old") == ["a.txt"]
    assert (tmp_path / "old" / "a.txt").read_text() == "new/a.txt"


def test_a_folder_that_cannot_be_moved_leaves_the_old_one(tmp_path, monkeypatch):
    for name in ("old/a.txt", "new/a.txt"):
        write_text(tmp_path / name, name)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageError, match=r"old could not be written: Input/output error\."):
        replace_folder(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path) == ["new", "old"]
    assert (tmp_path / "old" / "a.txt").read_text() == "old/a.txt"


def test_a_folder_is_filled_beside_the_old_one_and_takes_its_place(tmp_path):
    write_text(tmp_path / "model" / "old.txt", "old")
    with writing_folder(tmp_path / "model", "model") as folder:
        write_text(folder / "new.txt", "new")
        assert [path.name for path in (tmp_path / "model").iterdir()] == ["old.txt"]
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("error", [ValueError("half way"), OSError(errno.ENOSPC, "No space left on device")])
def test_a_folder_that_is_filled_half_way_leaves_the_old_one_and_nothing_else(tmp_path, error):
    write_text(tmp_path / "model" / "old.txt", "old")
    is_of_the_disk = isinstance(error, OSError)

    def fill():
        with writing_folder(tmp_path / "model", "model") as folder:
            write_text(folder / "new.txt", "new")
            raise error

    with pytest.raises(StorageError if is_of_the_disk else ValueError) as caught:
        fill()
    if is_of_the_disk:
        assert str(caught.value) == (
            f"The model {tmp_path / 'model'} could not be written: No space left on device. Free some space or choose "
            "another folder."
        )
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old.txt"]
