"""What a tape says of itself: venue, topics and the rules of its instruments, in `tape.json` beside the segments."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from triptych.domain import Instrument
from triptych.domain.errors import DataError
from triptych.domain.files import write_text

ABOUT: Final = "tape.json"
FORMAT: Final = 1


class About(BaseModel):
    """The description of a tape; a recording that goes on must have the same.

    Attributes:
        format: of the segments.
        venue: whose messages they are.
        category: shelf of the venue.
        topics: what was subscribed to, in the venue's words.
        timeframes: of the candles among them, such as `1m`.
        instruments: with the venue's rules of price and quantity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    venue: str
    category: str
    topics: tuple[str, ...]
    timeframes: tuple[str, ...]
    instruments: tuple[Instrument, ...]

    def write(self, folder: Path) -> None:
        """Put it into a tape's folder. Raises StorageError when the disk refuses."""
        write_text(folder / ABOUT, self.model_dump_json(indent=2) + "\n")


def is_tape(path: Path) -> bool:
    """Whether a path is the folder of a tape."""
    return (path / ABOUT).is_file()


def read_about(folder: Path) -> About:
    """What the tape in `folder` says of itself. Raises DataError when there is none, or one of another version."""
    path = folder / ABOUT
    try:
        return About.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{folder} is no tape: {ABOUT} is missing.", remedy="Record one: `triptych data record`."
        ) from error
    except ValidationError as error:
        raise DataError(
            f"{path} cannot be read: {error.errors()[0]['msg']}.",
            remedy="It was damaged, or written by another version.",
        ) from error
