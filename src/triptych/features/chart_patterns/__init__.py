"""Chart patterns by rules: detectors that never look ahead, candle by candle."""

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.detection import PATTERNS, Detection, KeyPoint, box_overlap, time_overlap
from triptych.features.chart_patterns.kept_scans import KeptScans
from triptych.features.chart_patterns.lo_mamaysky_wang import PAPER_PATTERNS, PaperConfig, find_paper_patterns
from triptych.features.chart_patterns.outages import outages
from triptych.features.chart_patterns.scanner import ChartPatternScanner, find_chart_patterns

__all__ = [
    "PAPER_PATTERNS",
    "PATTERNS",
    "ChartPatternScanner",
    "Config",
    "Detection",
    "KeptScans",
    "KeyPoint",
    "PaperConfig",
    "box_overlap",
    "find_chart_patterns",
    "find_paper_patterns",
    "outages",
    "time_overlap",
]
