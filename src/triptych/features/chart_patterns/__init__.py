"""Chart patterns by rules: detectors that never look ahead, candle by candle."""

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.detection import PATTERNS, Detection, KeyPoint, box_overlap, time_overlap
from triptych.features.chart_patterns.scanner import ChartPatternScanner, find_chart_patterns

__all__ = [
    "PATTERNS",
    "ChartPatternScanner",
    "Config",
    "Detection",
    "KeyPoint",
    "box_overlap",
    "find_chart_patterns",
    "time_overlap",
]
