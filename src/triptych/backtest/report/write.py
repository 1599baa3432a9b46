"""A report on disk, written atomically."""

from __future__ import annotations

from pathlib import Path

from triptych.backtest.report.data import ReportData
from triptych.backtest.report.render import render
from triptych.backtest.report.twin import report_json
from triptych.domain.files import write_json, write_text


def write_report(report: ReportData, path: Path | str) -> Path:
    """Write the HTML file and return its path. Raises StorageError when the disk refuses; the old file then stays."""
    return write_text(Path(path), render(report))


def write_report_json(report: ReportData, path: Path | str) -> Path:
    """Write the JSON twin and return its path. Raises StorageError as `write_report` does."""
    return write_json(Path(path), report_json(report))
