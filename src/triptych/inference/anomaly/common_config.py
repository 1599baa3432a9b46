"""What all anomaly detectors are asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych import domain
from triptych.inference.anomaly.table import BadRows


class CommonConfig(domain.Config):
    """Which rows are learnt from, which are held out, how bad ones are taken, and where the threshold lies."""

    contamination: float = Field(
        0.01, description="Share of normal rows that the threshold takes for anomalies.", gt=0, le=0.5
    )
    held_out: float = Field(
        0.2,
        description="Share of the rows that are not learnt from, at least: they stop the training, calibrate and set "
        "the threshold, each of them one. More are held out where these need more.",
        gt=0,
        le=0.6,
    )
    held_out_blocks: int = Field(
        4, description="Blocks the held-out rows are spread over, so that they see all parts of the history.", ge=1
    )
    bound: float = Field(20.0, description="Greatest distance from a channel's mean, in deviations.", gt=0)
    bad_rows: BadRows = Field(
        "refuse",
        description="`refuse`: NaN and infinity are an error. `mask`: short runs repeat the row before, longer ones "
        "break the history; such rows get no score.",
    )
    bridge: int = Field(3, description="Bad rows in a run that are bridged.", ge=0)
    breaks: bool = Field(
        True,
        description="Whether a gap in the rows' times starts the warm-up anew. Off for what stops at night or at "
        "weekends: every session would begin with one.",
    )
    steps: Literal["same", "any"] = Field(
        "same",
        description="Whether rows must be as far apart as those of the fit, and all entities of a fit alike. `any`: "
        "gaps are judged by each entity's own step, and as many rows span another time.",
    )
    counters: tuple[str, ...] = Field(
        (), description="Channels that rise steadily and are meant: others are refused as clocks or numbers of rows."
    )
    seed: int = Field(0, description="Seed of everything random.", ge=0)
