"""Triptych: one market, three neural views.

The front door: what most programs need, each name imported when it is first asked for, so that `import triptych` is
quick and loads no network library. Everything else stays in its package, one floor each: see docs/architecture.md.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from triptych.bootstrap import (
        backtest,
        bybit_at,
        evaluate,
        fetch_candles,
        leak_probe,
        open_run,
        predict,
        predict_live,
        report,
        train,
    )
    from triptych.domain import CandleSeries, Timeframe
    from triptych.domain.errors import TriptychError
    from triptych.images import available as list_encodings
    from triptych.images import create_encoding
    from triptych.inference import load_artifact
    from triptych.market import CandleStore, check_quality, read_candles, resample
    from triptych.market.synthetic import Config as SyntheticConfig
    from triptych.market.synthetic import synthesise
    from triptych.models import create_model, list_models
    from triptych.settings import load_recipe

__version__ = "0.1.0"

__all__ = [
    "CandleSeries",
    "CandleStore",
    "SyntheticConfig",
    "Timeframe",
    "TriptychError",
    "__version__",
    "backtest",
    "bybit_at",
    "check_quality",
    "create_encoding",
    "create_model",
    "evaluate",
    "fetch_candles",
    "leak_probe",
    "list_encodings",
    "list_models",
    "load_artifact",
    "load_recipe",
    "open_run",
    "predict",
    "predict_live",
    "read_candles",
    "report",
    "resample",
    "synthesise",
    "train",
]

_HOMES: Final = {
    "bootstrap": (
        "backtest",
        "bybit_at",
        "evaluate",
        "fetch_candles",
        "leak_probe",
        "open_run",
        "predict",
        "predict_live",
        "report",
        "train",
    ),
    "domain": ("CandleSeries", "Timeframe"),
    "domain.errors": ("TriptychError",),
    "images": ("create_encoding",),
    "inference": ("load_artifact",),
    "market": ("CandleStore", "check_quality", "read_candles", "resample"),
    "market.synthetic": ("synthesise",),
    "models": ("create_model", "list_models"),
    "settings": ("load_recipe",),
}
_PLACES: Final = {name: (home, name) for home, names in _HOMES.items() for name in names} | {
    "SyntheticConfig": ("market.synthetic", "Config"),
    "list_encodings": ("images", "available"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, there = _PLACES[name]
    value = getattr(import_module(f"{__name__}.{home}"), there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _FrontDoor(ModuleType):
    """Keeps `triptych.backtest` the function, whatever has been imported before.

    Python hangs every imported package on its parent, so the first import of the package `triptych.backtest` would put
    it in the place of the function. `from triptych.backtest import ...` finds the package all the same.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor
