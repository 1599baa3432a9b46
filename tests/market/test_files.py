import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain.errors import DataError, StorageError
from triptych.market.files import from_file_name, remove_leftovers, to_file_name, write_atomically


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_every_name_becomes_one_safe_component_and_comes_back(name):
    safe = to_file_name(name)
    assert from_file_name(safe) == name
    assert set(safe) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-%")
    assert safe not in (".", "..")
    assert not safe.startswith(".")
    assert not safe.endswith(".")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("BTC/USDT:USDT", "BTC%2FUSDT%3AUSDT"),
        ("BRK.B", "BRK.B"),
        ("con", "%63on"),
        ("Nul.x", "%4Eul.x"),
        ("CONE", "CONE"),
    ],
)
def test_ordinary_names_stay_readable(name, safe):
    assert to_file_name(name) == safe


def test_an_empty_name_is_refused():
    with pytest.raises(DataError) as caught:
        to_file_name("")
    assert str(caught.value) == "A symbol or venue in the store must have a name. Say it: `--symbol NAME`."


def test_a_file_is_replaced_at_once_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_refused_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    with pytest.raises(StorageError) as caught:
        write_atomically(tmp_path / "folder", b"text")  # a folder cannot be replaced by a file
    assert str(caught.value) == (
        f"{tmp_path / 'folder'} cannot be written: Is a directory. "
        "Make room on the disk, check the permissions, or choose another folder."
    )
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_leftovers_are_counted_and_removed(tmp_path):
    for name in (".tmp-a", ".tmp-b", "keep.parquet"):
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["keep.parquet"]
