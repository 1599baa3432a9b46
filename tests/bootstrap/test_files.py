import polars as pl
import pytest

from triptych.bootstrap.files import read_frame, read_json, write_frame
from triptych.domain.errors import RunError

FRAME = pl.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.5]})
REMEDY = "Repeat the command that makes it: `triptych train` mends a damaged run, `triptych backtest` its backtest."


def test_a_frame_reads_back_equal(tmp_path):
    path = write_frame(tmp_path / "frame.parquet", FRAME)
    assert read_frame(path, ("a", "b")).equals(FRAME)
    assert [p.name for p in tmp_path.iterdir()] == ["frame.parquet"]


def test_the_same_frame_is_the_same_bytes(tmp_path):
    one, other = write_frame(tmp_path / "one", FRAME), write_frame(tmp_path / "other", FRAME.clone())
    assert one.read_bytes() == other.read_bytes()


def test_a_missing_file_is_named(tmp_path):
    for read, name in ((read_frame, "a.parquet"), (read_json, "a.json")):
        with pytest.raises(RunError) as caught:
            read(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name} is missing. {REMEDY}"


@pytest.mark.parametrize("damage", ["empty", "cut short", "not parquet", "a bit turned over"])
def test_a_damaged_frame_is_named(tmp_path, damage):
    path = write_frame(tmp_path / "a.parquet", FRAME)
    content = bytearray(path.read_bytes())
    if damage == "empty":
        content.clear()
    elif damage == "cut short":
        del content[len(content) // 2 :]
    elif damage == "not parquet":
        content[:] = b"time,symbol\n" * 20
    else:
        content[-10] ^= 255
    path.write_bytes(content)
    with pytest.raises(RunError, match="is damaged: ") as caught:
        read_frame(path)
    assert caught.value.message.startswith(f"{path} is damaged: ")
    assert caught.value.remedy == REMEDY


def test_a_frame_without_a_column_is_damaged(tmp_path):
    path = write_frame(tmp_path / "a.parquet", FRAME)
    with pytest.raises(RunError) as caught:
        read_frame(path, ("a", "time", "fold"))
    assert caught.value.message == f"{path} is damaged: it holds no time, fold."


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1')
    with pytest.raises(RunError) as caught:
        read_json(tmp_path / "a.json")
    assert caught.value.message == (
        f"{tmp_path / 'a.json'} is damaged: Expecting ',' delimiter: line 1 column 8 (char 7)."
    )


@pytest.mark.parametrize("content", ["{}", "[1, 2]", '{"metrics": 1}'])
def test_json_that_lacks_what_it_should_hold_is_damaged(tmp_path, content):
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(RunError) as caught:
        read_json(path, ("metrics", "baselines"))
    lacking = "baselines" if "metrics" in content else "metrics, baselines"
    assert caught.value.message == f"{path} is damaged: it holds no {lacking}."
