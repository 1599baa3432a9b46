"""Encodings: one public file each. The file name is the encoding's name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType

from triptych.domain.errors import RecipeError
from triptych.images._options import configured
from triptych.images._pixel_map import AxisKind, PixelAxis, PixelMap
from triptych.images._pixels import to_pixels
from triptych.images._pool import BufferPool, encode_into
from triptych.images._stream import StreamingEncoder
from triptych.images.base import AbstractEncoding

__all__ = [
    "AbstractEncoding",
    "AxisKind",
    "BufferPool",
    "PixelAxis",
    "PixelMap",
    "StreamingEncoder",
    "available",
    "create_encoding",
    "encode_into",
    "load",
    "to_pixels",
]


def available() -> tuple[str, ...]:
    """Names of all encodings, in alphabetical order."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if not name.startswith("_") and name != "base"))


def load(name: str) -> ModuleType:
    """The module of one encoding: it holds `Config` and `build(config, length)`. RecipeError for an unknown name."""
    if name not in available():
        near = difflib.get_close_matches(str(name).lower(), available(), n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise RecipeError(f"Unknown encoding {name!r}.", remedy=f"{hint}Known encodings: {', '.join(available())}.")
    return importlib.import_module(f"{__name__}.{name}")


def create_encoding(name: str, length: int, **options: object) -> AbstractEncoding:
    """Build an encoding for windows of `length` candles; `options` are the fields of its `Config`.

    Raises RecipeError for an unknown name or option and a wrong value: it says what would be right.
    """
    module = load(name)
    encoding: AbstractEncoding = module.build(configured(name, module.Config, options), length)
    return encoding
