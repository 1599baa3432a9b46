"""Explanations as files: a picture, and beside it the figures."""

from __future__ import annotations

from pathlib import Path

from triptych.bootstrap.explaining import ExplainedDecision
from triptych.bootstrap.explanation_pictures import draw_explanation
from triptych.domain.files import write_json


def write_explanation(decision: ExplainedDecision, path: Path) -> list[Path]:
    """Write FILE.png and FILE.json.

    Raises DataError unless the name ends in .png, StorageError when the disk refuses.
    """
    return [draw_explanation(decision, path), write_json(path.with_suffix(".json"), decision.to_dict())]
