"""Tapes: public streams of a venue, recorded to disk message by message, and read back exactly."""

from triptych.market.tapes.about import About, is_tape, read_about
from triptych.market.tapes.entry import STREAM, TapeEntry
from triptych.market.tapes.reader import read_tape, read_tape_backwards
from triptych.market.tapes.writer import Config, TapeWriter

__all__ = [
    "STREAM",
    "About",
    "Config",
    "TapeEntry",
    "TapeWriter",
    "is_tape",
    "read_about",
    "read_tape",
    "read_tape_backwards",
]
