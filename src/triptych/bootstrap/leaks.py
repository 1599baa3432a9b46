"""The leak probe of whatever a recipe describes: one model, or several that decide together."""

from __future__ import annotations

from typing import Any

from triptych.bootstrap import probing
from triptych.bootstrap.consensus_probing import probe_consensus
from triptych.bootstrap.telling import Tell, silent
from triptych.settings import Recipe


def leak_probe(recipe: Recipe, *, cuts: int = 6, instruments: int | None = None, tell: Tell = silent) -> dict[str, Any]:
    """Probe a recipe; one with members as a consensus. See `bootstrap.probing.leak_probe`."""
    probe = probe_consensus if recipe.members else probing.leak_probe
    return probe(recipe, cuts=cuts, instruments=instruments, tell=tell)
