"""The report of a run: one self-contained HTML file and its JSON twin."""

from triptych.backtest.report.data import ReportData, SampleImage, candle_frame
from triptych.backtest.report.render import render
from triptych.backtest.report.twin import report_json
from triptych.backtest.report.write import write_report, write_report_json

__all__ = [
    "ReportData",
    "SampleImage",
    "candle_frame",
    "render",
    "report_json",
    "write_report",
    "write_report_json",
]
