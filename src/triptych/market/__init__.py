"""Candles at home: importing, storing, checking and resampling them.

Each name is imported when it is first asked for: the live feed and the order book need no data frames.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from triptych.market.cleaning import Duplicates
    from triptych.market.columns import ROLES, SYNONYMS
    from triptych.market.frames import SCHEMA, to_frame, to_panel, to_series
    from triptych.market.importer import ImportResult, RawCandles, read_candles, read_raw
    from triptych.market.quality import Finding, QualityConfig, QualityReport, check_quality
    from triptych.market.resampling import Resampled, resample, resample_counted
    from triptych.market.store import CandleStore, MergeReport, Moment, OnConflict
    from triptych.market.times import EpochUnit

__all__ = [
    "ROLES",
    "SCHEMA",
    "SYNONYMS",
    "CandleStore",
    "Duplicates",
    "EpochUnit",
    "Finding",
    "ImportResult",
    "MergeReport",
    "Moment",
    "OnConflict",
    "QualityConfig",
    "QualityReport",
    "RawCandles",
    "Resampled",
    "check_quality",
    "read_candles",
    "read_raw",
    "resample",
    "resample_counted",
    "to_frame",
    "to_panel",
    "to_series",
]

_HOMES: Final = {
    "cleaning": ("Duplicates",),
    "columns": ("ROLES", "SYNONYMS"),
    "frames": ("SCHEMA", "to_frame", "to_panel", "to_series"),
    "importer": ("ImportResult", "RawCandles", "read_candles", "read_raw"),
    "quality": ("Finding", "QualityConfig", "QualityReport", "check_quality"),
    "resampling": ("Resampled", "resample", "resample_counted"),
    "store": ("CandleStore", "MergeReport", "Moment", "OnConflict"),
    "times": ("EpochUnit",),
}
_PLACES: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
