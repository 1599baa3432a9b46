"""The API reference: one page a floor, every public module on it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import triptych

FLOORS = {
    "domain": "The shared words",
    "models": "Networks",
    "exchanges": "Venues, and the simulated one",
    "features": "Factors of candles",
    "images": "Encodings",
    "market": "Candles at home",
    "inference": "From a window to a prediction",
    "strategies": "From a prediction to the wanted exposure",
    "trading": "The engine and its desk",
    "backtest": "Replay, figures, luck, verdict, report",
    "training": "Targets, splits, training, evaluation",
    "live": "Trading as it happens",
    "settings": "Recipes",
    "bootstrap": "Where the parts are joined",
    "dashboard": "Pages and their JSON twins",
}
"""Packages from the ground up, each with its title."""


def write_api_pages(folder: Path) -> None:
    """Write a page for each package and their index. Raises LookupError when a package is missing from `FLOORS`."""
    packages = {m.name for m in pkgutil.iter_modules(triptych.__path__) if m.ispkg} - {"cli"}
    if packages != set(FLOORS):
        raise LookupError(f"FLOORS in {__file__} names {sorted(FLOORS)}, the packages are {sorted(packages)}.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, title in FLOORS.items():
        (folder / f"{name}.md").write_text(_page(name, title), encoding="utf-8")


def _page(name: str, title: str) -> str:
    parts = [f"# `{name}`: {title[0].lower()}{title[1:]}\n"]
    for module in _public_modules(f"triptych.{name}"):
        parts.append(f"## `{module.__name__.removeprefix('triptych.')}`\n")
        # A package lists names of its modules for convenience; they are explained where they are defined.
        others = sorted(set(getattr(module, "__all__", ())) - set(_own(module)))
        without = f"   :exclude-members: {', '.join(others)}\n" if hasattr(module, "__path__") and others else ""
        parts.append(f"```{{eval-rst}}\n.. automodule:: {module.__name__}\n{without}```\n")
    return "\n".join(parts)


def _public_modules(package: str) -> Iterator[ModuleType]:
    """The package, where it defines something itself, and every module in it without an underscore."""
    module = importlib.import_module(package)
    if _own(module):
        yield module
    for found in pkgutil.iter_modules(module.__path__):
        name = f"{package}.{found.name}"
        if found.name.startswith("_"):
            continue
        if found.ispkg:
            yield from _public_modules(name)
        else:
            yield importlib.import_module(name)


def _own(module: ModuleType) -> list[str]:
    """Public names that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
