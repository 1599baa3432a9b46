"""Explanations as files: a picture, and beside it the figures."""

from __future__ import annotations

from pathlib import Path

from triptych.bootstrap.consensus_pictures import draw_consensus
from triptych.bootstrap.explaining import ExplainedDecision
from triptych.bootstrap.explaining_consensus import ExplainedConsensus
from triptych.bootstrap.explanation_pictures import draw_explanation
from triptych.domain.files import write_json


def write_explanation(decision: ExplainedDecision | ExplainedConsensus, path: Path) -> list[Path]:
    """Write FILE.png and FILE.json.

    Raises DataError unless the name ends in .png, StorageError when the disk refuses.
    """
    if isinstance(decision, ExplainedConsensus):
        drawn = draw_consensus(decision, path)
    else:
        drawn = draw_explanation(decision, path)
    return [drawn, write_json(path.with_suffix(".json"), decision.to_dict())]
