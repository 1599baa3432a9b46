"""Candles at home: importing, storing, checking and resampling them.

Each name is imported when it is first asked for: the live feed and the order book need no data frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triptych.domain.on_demand import on_demand

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

__getattr__, __dir__ = on_demand(__name__, _HOMES)
