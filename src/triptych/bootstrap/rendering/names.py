"""Names of pictures, and which files may be replaced: our own; anybody else's only when that is said."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from triptych.domain import SystemClock, utc
from triptych.domain.errors import DataError, StorageError
from triptych.domain.files import temporary_name

Format = Literal["png", "gif", "webp"]
ENDINGS: Final[tuple[Format, ...]] = ("png", "gif", "webp")
SOFTWARE: Final = "Triptych picture of a market"
"""Stands in every picture; a file that holds it may be replaced."""
_HEAD_BYTES = 4096
LEFT_S: Final = 60
"""A temporary file of a picture that is older has been left: writing takes milliseconds."""


def time_in_name(time_ms: int) -> str:
    """A UTC time as it stands in file names: 2023-12-31T2355Z, with seconds where they matter."""
    time = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
    seconds = f"{time.second:02d}" if time_ms % 60_000 else ""
    thousandths = f".{time_ms % 1000:03d}" if time_ms % 1000 else ""
    return f"{time:%Y-%m-%dT%H%M}{seconds}{thousandths}Z"


def time_in_words(time_ms: int) -> str:
    """A UTC time as people read it: 2023-12-31 23:55:00, with thousandths where there are any."""
    return utc(time_ms) + (f".{time_ms % 1000:03d}" if time_ms % 1000 else "")


def picture_name(symbol: str, timeframe: str, what: str, moment: str, ending: str) -> str:
    """Such as BTCUSDT_5m_candlestick_2023-12-31T2355Z.png; what file systems refuse becomes a dash."""
    words = (re.sub(r"[^\w.+-]", "-", part) for part in (symbol, timeframe, what, moment) if part)
    return "_".join(words) + f".{ending}"


def format_of(out: Path, asked: Format | None = None) -> Format | None:
    """The format that a file's ending asks for; None when `out` is a folder.

    Raises DataError for an ending that there is no writer for, or another than the format `asked` for.
    """
    ending = out.suffix.lower().removeprefix(".")
    if out.is_dir() or not ending:
        return None
    for known in ENDINGS:
        if ending == known:
            if asked not in (None, known):
                raise DataError(f"{out} cannot be a {asked} file.", remedy=f"Name it with .{asked}, or drop --format.")
            return known
    if ending in ("jpg", "jpeg", "bmp", "tif", "tiff", "svg", "pdf", "mp4", "apng", "avif"):
        raise DataError(
            f"Cannot write {out}: there is no writer for .{ending}.",
            remedy="Choose a name ending in .png, .gif or .webp, or a folder.",
        )
    return None


def require_replaceable(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Raise DataError when one of the files is there and was not drawn by us, unless that is said to be right."""
    if overwrite:
        return
    there: dict[Path, set[str]] = {}
    for path in paths:
        if path.parent not in there:
            there[path.parent] = {one.name for one in path.parent.iterdir()} if path.parent.is_dir() else set()
        if path.name in there[path.parent] and not _is_ours(path):
            raise DataError(
                f"{path} is there already and is no picture of ours.",
                remedy="Choose another name or folder, or replace it with --overwrite.",
            )


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Delete what killed processes have left of these files: temporary ones that nobody has touched for a minute.

    Another process may be drawing into the same folder: what it is just writing is younger.
    """
    by_folder: dict[Path, set[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, set()).add(path.name)
    latest_s = SystemClock().now_ms() / 1000 - LEFT_S
    for folder, names in by_folder.items():
        for leftover in folder.glob(".*.tmp"):
            if leftover.name[1:].rsplit(".", 2)[0] in names:
                with contextlib.suppress(OSError):  # gone, or not ours to delete
                    if leftover.stat().st_mtime < latest_s:
                        leftover.unlink()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _HEAD_BYTES))
        return SOFTWARE.encode() in head or SOFTWARE.encode() in file.read()


def put(path: Path, content: bytes) -> None:
    """Write one picture of many: whole or not at all, like `domain.files`, but without a flush of the disk for each.

    The flush takes longer than drawing the picture a dozen times; what a power cut takes can be drawn again.
    """
    temporary = str(temporary_name(path))
    try:
        with open(temporary, "wb", buffering=0) as file:  # noqa: PTH123 - a Path costs as much as the compression
            file.write(content)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}.",
            remedy="Free some space or choose another folder.",
        ) from error
