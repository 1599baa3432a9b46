import io
import json
from pathlib import Path

from triptych.live.monitoring import Masker, Unfailing, create_logger, open_log


class Moody(io.StringIO):
    """Refuses to write while it is full."""

    is_full = False

    def write(self, text):
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_what_a_full_disk_refuses_is_counted_dropped_and_told_of_once():
    stream = Moody()
    log = create_logger(stream, Masker())
    log.info("before")
    stream.is_full = True
    for _ in range(3):
        log.info("lost")
    stream.is_full = False
    log.info("after")
    log.info("later")
    told = [json.loads(line)["event"] for line in stream.getvalue().splitlines() if line]
    assert told == ["before", "3 lines could not be written to this log", "after", "later"]


def test_a_closed_stream_and_a_text_that_cannot_be_encoded_do_not_raise(tmp_path):
    path = tmp_path / "logs" / "live.jsonl"
    with open_log(path) as stream:
        log = Unfailing(stream)
        log.write("\ud800\n")
        log.write("whole\n")
        assert path.read_text().endswith("whole\n")
    log.write("closed\n")
    assert log.lost == 1


def test_a_file_on_a_full_disk_neither_raises_nor_keeps_anything_back():
    with open_log(Path("/dev/full")) as stream:
        log = Unfailing(stream)
        for _ in range(1_000):
            log.write("x" * 100 + "\n")
        assert log.lost == 1_000
