"""Pages in HTML from their twins: templates that escape whatever they are given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from triptych.dashboard.words import FILTERS


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("triptych.dashboard", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {**FILTERS, "curve": curve, "weight": weight}
    return environment


def render(name: str, content: Mapping[str, Any]) -> str:
    """The template NAME.html.j2 with `content`. Raises jinja2.UndefinedError for a name that it lacks."""
    return _environment().get_template(f"{name}.html.j2").render(content)


def weight(milliseconds: float | None) -> float:
    """How wide a phase is drawn: by the logarithm of its length, so that 3 ms and 3 min can be seen side by side."""
    return round(1.0 + math.log10(1.0 + max(0.0, milliseconds or 0.0)), 3)


def curve(values: Sequence[float], width: int = 160, height: int = 40) -> Markup:
    """A small line through values, with the level of the first one, as an SVG."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = (width - 4) / (len(values) - 1)

    def y(value: float) -> float:
        return round(height - 3 - (value - low) / span * (height - 6), 1)

    points = " ".join(f"{2 + i * step:.1f},{y(value)}" for i, value in enumerate(values))
    tone = "up" if values[-1] >= values[0] else "down"
    return Markup(
        f'<svg class="curve {tone}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<line x1="0" x2="{width}" y1="{y(values[0])}" y2="{y(values[0])}"/><polyline points="{points}"/></svg>'
    )
