"""Text files of messages: one a line, plain or gzip, with line numbers for the errors."""

from __future__ import annotations

import gzip
import json
import warnings
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from triptych.domain.errors import DataError


def read_text(path: Path) -> str:
    """The file as text, unpacked when it is gzip. Raises DataError when it cannot be."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is damaged ({error}).", remedy="Fetch it again.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8.", remedy="Give a file of messages or a CSV.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", remedy="Check the name.") from error


def read_head(path: Path, count: int = 4096) -> str:
    """The beginning of a text, unpacked when it is gzip. DataError when it cannot be read."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            return file.read(count).decode("utf-8", errors="replace")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is damaged ({error}).", remedy="Fetch it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", remedy="Check the name.") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers from 1 on."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            yield number, line


def parse_json(text: str, path: Path, number: int) -> Any:
    """One message. Numbers with a point become Decimal, as exact as they were written. DataError names the line."""
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise DataError(
            f"{path}, line {number}: not JSON ({error}).", remedy="Cut the line out, or restore the file."
        ) from error


def bad_message(path: Path, number: int, error: Exception) -> DataError:
    """The error of a message that lacks a field or holds something else than a number in it."""
    what = f"the field {error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
    return DataError(
        f"{path}, line {number}: the message cannot be understood, {what}.",
        remedy="Cut the line out, or restore the file.",
    )


def is_message(text: str) -> bool:
    """Whether what follows the time of receipt looks like a message, of whatever kind: a whole JSON object."""
    return text.startswith("{") and text.rstrip().endswith("}")


def tell_unreadable(path: Path, numbers: Sequence[int]) -> None:
    """Warn of lines of a capture that are no messages, and were left out."""
    if not numbers:
        return
    which = "1 line is no message and was" if len(numbers) == 1 else f"{len(numbers):,} lines are no messages and were"
    warnings.warn(f"{path}: {which} left out, the first is line {numbers[0]}.", stacklevel=2)


MESSAGE_ERRORS = (KeyError, TypeError, ValueError, IndexError, AttributeError, InvalidOperation)
"""What parsing raises on a message of another shape."""


def pairs(levels: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    """Levels as venues write them, `[["64020.40", "0.005"], ...]`."""
    return tuple((Decimal(price), Decimal(size)) for price, size in levels)
