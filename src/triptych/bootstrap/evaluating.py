"""The metrics of a run that was trained."""

from __future__ import annotations

from typing import Any

from triptych.bootstrap.files import CONSENSUS_KEYS, EVALUATION_KEYS, read_json
from triptych.bootstrap.run_folder import Run


def evaluate(run: Run) -> dict[str, Any]:
    """Metrics of a trained run; see `triptych.training.evaluation.evaluate`.

    Of a consensus also `consensus`: coverage, precision, error correlation and lift; see
    `triptych.training.consensus_report`.
    """
    run.require_trained()
    evaluation: dict[str, Any] = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
    if run.recipe.members:
        evaluation["consensus"] = read_json(run.folder / "consensus_report.json", CONSENSUS_KEYS)
    return evaluation
