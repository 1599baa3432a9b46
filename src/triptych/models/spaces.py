"""How each family of networks is varied when nobody says otherwise: search spaces and their starting points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triptych.domain.search import Dimension


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What a family offers to a search. It stands beside the family's networks and is registered with them.

    Attributes:
        space: keys of the recipe below `[model]` (`width`, `sequence.heads`) with what each may be, in the order of
            choosing; what grows the network says so.
        presets: starting points by name, from small to large: values of these keys.
    """

    space: Mapping[str, Dimension] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
