import json
from decimal import Decimal

import pytest

from triptych.domain import Instrument
from triptych.domain.errors import DataError
from triptych.market.tapes import About, Config, TapeEntry, TapeWriter, is_tape, read_about, read_tape
from triptych.market.tapes.reader import read_tape_backwards

ABOUT = About(
    venue="bybit", category="linear", topics=("kline.1.BTCUSDT",), timeframes=("1m",),
    instruments=(Instrument(symbol="BTCUSDT", price_step=Decimal("0.10")),),
)  # fmt: skip


def entries(n, start=0):
    return [TapeEntry(10**18 + i, "kline.1.BTCUSDT", {"ts": i, "data": ["1.50", {"b": True}]}) for i in range(start, n)]


def written(folder, found, **config):
    with TapeWriter(folder, ABOUT, Config(**config)) as writer:
        for entry in found:
            writer.append(entry)
    return writer


def test_a_tape_is_read_back_as_it_was_written(tmp_path):
    writer = written(tmp_path / "tape", entries(500), segment_megabytes=0.01)
    names = sorted(path.name for path in (tmp_path / "tape").glob("*.jsonl*"))
    assert names == [f"00000{i}.jsonl.zst" for i in range(1, 7)]
    assert list(read_tape(tmp_path / "tape")) == entries(500)
    assert list(read_tape_backwards(tmp_path / "tape")) == entries(500)[::-1]
    assert (writer.entries, writer.bytes) == (
        500,
        sum(len(json.dumps(_row(e), separators=(",", ":"))) + 1 for e in entries(500)),
    )
    assert is_tape(tmp_path / "tape")
    assert read_about(tmp_path / "tape") == ABOUT


def _row(entry):
    return {"t": entry.time_ns, "topic": entry.topic, "via": entry.via, "body": entry.content}


def test_a_segment_ends_after_its_minutes(tmp_path):
    now = [0.0]
    with TapeWriter(tmp_path, ABOUT, Config(segment_minutes=1), monotonic_s=lambda: now[0]) as writer:
        for second, entry in zip((0, 30, 59, 61, 62), entries(5), strict=True):
            now[0] = second
            writer.append(entry)
        assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["000001.jsonl.zst", "000002.jsonl.open"]
        writer.flush()
        assert list(read_tape(tmp_path)) == entries(5)  # while it is being recorded


def test_what_a_killed_recording_left_is_finished_without_its_torn_line(tmp_path):
    written(tmp_path, entries(3))
    (tmp_path / "000001.jsonl.open").write_bytes(b"left beside the finished one")
    line = b'{"t":7,"topic":"x","via":"rest","body":{}}\n'
    (tmp_path / "000002.jsonl.open").write_bytes(line + b'{"t":8,"top')
    assert list(read_tape(tmp_path)) == [*entries(3), TapeEntry(7, "x", {}, "rest")]
    written(tmp_path, entries(4, start=3))
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == [f"00000{i}.jsonl.zst" for i in (1, 2, 3)]
    assert list(read_tape(tmp_path)) == [*entries(3), TapeEntry(7, "x", {}, "rest"), *entries(4, start=3)]


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_segment_is_found(tmp_path, harm):
    written(tmp_path, entries(50))
    path = tmp_path / "000001.jsonl.zst"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF if harm == "flip" else 0
    path.write_bytes({"cut": content[:-20], "flip": content, "empty": b""}[harm])
    with pytest.raises(DataError) as caught:
        list(read_tape(tmp_path))
    assert str(caught.value).startswith(f"{path} is damaged: ")
    assert str(caught.value).endswith("Copy the tape anew, or move this segment out of its folder.")


def test_a_folder_holds_one_tape_and_one_recording_at_a_time(tmp_path):
    written(tmp_path, entries(1))
    other = ABOUT.model_copy(update={"topics": ("kline.5.BTCUSDT",)})
    with pytest.raises(DataError, match="holds a tape of other topics or instruments"), TapeWriter(tmp_path, other):
        pass
    with (
        TapeWriter(tmp_path, ABOUT),
        pytest.raises(DataError, match="Another process records into"),
        TapeWriter(tmp_path, ABOUT),
    ):
        pass


def test_a_folder_without_a_tape_says_so(tmp_path):
    with pytest.raises(DataError) as caught:
        list(read_tape(tmp_path))
    assert str(caught.value) == f"{tmp_path} is no tape: tape.json is missing. Record one: `triptych data record`."
    (tmp_path / "tape.json").write_text('{"format": 2}')
    with pytest.raises(DataError, match=r"tape\.json cannot be read"):
        read_about(tmp_path)
