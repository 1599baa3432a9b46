"""Generated charts with planted chart patterns: what detectors are measured on and networks are taught with."""

from triptych.market.charts.generator import Chart, Config, draw_chart
from triptych.market.charts.shapes import Shape, draw_shape

__all__ = ["Chart", "Config", "Shape", "draw_chart", "draw_shape"]
