"""Names and contents of a tape's segments.

A segment is JSON lines. The one being written is plain and only ever appended to (`000007.jsonl.open`); a finished one
is compressed by Zstandard and put in its place atomically (`000007.jsonl.zst`). Its last line counts the others and
hashes them, so that a segment which was cut short or changed is found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa

from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes
from triptych.market.tapes.entry import TapeEntry, from_line

_NAME: Final = re.compile(r"^(\d{6,})\.jsonl\.(zst|open)$")


def sealed_name(folder: Path, number: int) -> Path:
    """Where a finished segment stands."""
    return folder / f"{number:06d}.jsonl.zst"


def open_name(folder: Path, number: int) -> Path:
    """Where a segment stands that is being written."""
    return folder / f"{number:06d}.jsonl.open"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """Number and file of every segment in order; of one that is there in both forms, the finished."""
    found: dict[int, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.match(path.name)
        if match and (int(match[1]) not in found or match[2] == "zst"):
            found[int(match[1])] = path
    return sorted(found.items())


def whole_lines(content: bytes) -> bytes:
    """Everything up to the last line that ended: a process that was killed may have begun another."""
    return content[: content.rfind(b"\n") + 1]


def seal(content: bytes, path: Path) -> None:
    """Write the lines of a segment, finished. Raises StorageError when the disk refuses."""
    end = {"end": content.count(b"\n"), "sha256": hashlib.sha256(content).hexdigest()}
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
        stream.write(orjson.dumps(end, option=orjson.OPT_APPEND_NEWLINE))
    write_bytes(path, sink.getvalue().to_pybytes())


def read_segment(path: Path) -> Iterator[TapeEntry]:
    """Its entries in the order of writing. Raises DataError when a finished segment is not what was written."""
    content = path.read_bytes()
    lines = whole_lines(content) if path.suffix == ".open" else _unsealed(content, path)
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            yield from_line(line)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path, f"line {number} is no entry") from error


def _unsealed(content: bytes, path: Path) -> bytes:
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            whole: bytes = stream.read()
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, "it cannot be decompressed") from error
    lines, _, last = whole.rstrip(b"\n").rpartition(b"\n")
    lines = lines + b"\n" if lines else b""
    try:
        end = orjson.loads(last)
        is_whole = end == {"end": lines.count(b"\n"), "sha256": hashlib.sha256(lines).hexdigest()}
    except orjson.JSONDecodeError:
        is_whole = False
    if not is_whole:
        raise _damaged(path, "its lines are not those that were written")
    return lines


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} is damaged: {what}.", remedy="Copy the tape anew, or move this segment out of its folder."
    )
