"""A report on disk: written beside its place, then moved there, so that nothing half-written is ever seen."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from triptych.backtest.report.data import ReportData
from triptych.backtest.report.render import render
from triptych.backtest.report.twin import report_json
from triptych.domain.errors import StorageError


def write_report(report: ReportData, path: Path | str) -> Path:
    """Write the HTML file and return its path. Raises StorageError when the disk refuses; the old file then stays."""
    return _write(render(report), Path(path))


def write_report_json(report: ReportData, path: Path | str) -> Path:
    """Write the JSON twin and return its path. Raises StorageError as `write_report` does."""
    text = json.dumps(report_json(report), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return _write(text + "\n", Path(path))


def _write(text: str, path: Path) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(
            f"The report {path} could not be written: {error.strerror or error}.",
            remedy="Free some space or choose a folder you may write to.",
        ) from error
    return path
