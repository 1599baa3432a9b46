"""What a result was made with: versions, machine, data."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import torch

from triptych import __version__
from triptych.domain import CandleSeries
from triptych.inference.predictor import usable_cores

_LIBRARIES = ("torch", "lightning", "numpy", "polars", "onnxruntime", "scikit-learn", "TA-Lib", "numba")

_MARKED = 100
"""Candles by which a history is recognised."""


def versions() -> dict[str, str]:
    """Versions of everything that can change a result."""
    found = {name: metadata.version(name) for name in _LIBRARIES}
    return {"triptych": __version__, "python": platform.python_version(), **found}


def machine() -> dict[str, Any]:
    """The machine in words; never part of a result, always beside it."""
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def data_hash(series: Iterable[CandleSeries]) -> str:
    """SHA-256 over all instruments, in order of their symbols."""
    parts = sorted((s.symbol, s.fingerprint()) for s in series)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def history_mark(series: Iterable[CandleSeries]) -> str:
    """What stays the same when a history only grows: instruments, timeframe and first candles.

    Recipes tried on a file and on the same file a day later were tried on the same market.
    """
    return data_hash(one.head(_MARKED) for one in series)


@dataclass(frozen=True, kw_only=True)
class History:
    """What trials are counted by.

    Attributes:
        mark: see `history_mark`.
        periods: first and last close by instrument, UTC ms; empty of an invented market, whose names say nothing.
    """

    mark: str
    periods: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def history_of(series: Iterable[CandleSeries], *, is_invented: bool = False) -> History:
    """The history of trials on these candles."""
    ordered = sorted(series, key=lambda one: one.symbol)
    spans = {one.symbol: (int(one.close_time_ms[0]), int(one.close_time_ms[-1])) for one in ordered if len(one)}
    return History(mark=history_mark(ordered), periods={} if is_invented else spans)


def fingerprint(*parts: Any) -> str:
    """SHA-256 of plain parts: what makes two runs the same run."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
