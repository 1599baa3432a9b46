"""What a result was made with: versions, machine, data."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
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


def fingerprint(*parts: Any) -> str:
    """SHA-256 of plain parts: what makes two runs the same run."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
