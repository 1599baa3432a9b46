"""Families of chart patterns, one per file: `find(skeleton, config)` yields what the last extrema make.

`SOURCES` of a family says whose extrema it reads. To add a family, add its file here and its names to `PATTERNS`.
"""

from triptych.features.chart_patterns.families import (
    cups,
    doubles,
    flags,
    head_and_shoulders,
    rectangles,
    triangles,
    wedges,
)

FAMILIES = (head_and_shoulders, doubles, triangles, wedges, rectangles, flags, cups)

__all__ = ["FAMILIES"]
