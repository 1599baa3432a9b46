from __future__ import annotations

import json

import pytest

from triptych.backtest.report import ReportData, render, report_json, write_report, write_report_json
from triptych.domain.errors import StorageError

REPORT = ReportData(title="Small – with a dash")


def test_the_file_holds_the_page_and_nothing_is_left_beside_it(tmp_path):
    path = write_report(REPORT, tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == render(REPORT)
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_the_json_file_holds_the_twin(tmp_path):
    path = write_report_json(REPORT, tmp_path / "report.json")
    assert json.loads(path.read_text(encoding="utf-8")) == report_json(REPORT)
    assert path.read_text(encoding="utf-8").endswith("}\n")


def test_an_old_report_is_replaced(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    write_report(REPORT, str(path))
    assert path.read_text(encoding="utf-8") != "old"


def test_a_disk_that_refuses_is_named_and_leaves_nothing(tmp_path):
    path = tmp_path / "report.html"
    path.mkdir()
    with pytest.raises(StorageError) as caught:
        write_report(REPORT, path)
    assert str(caught.value) == (
        f"{path} could not be written: Is a directory. Free some space or choose another folder."
    )
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
