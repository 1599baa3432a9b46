"""Rows that never come to a score, or are too few, told aloud: a blind detector must not look like one that sees
nothing."""

from __future__ import annotations

import math

from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.holding_out import ENOUGH, rows_for
from triptych.inference.anomaly.table import Table


def interleaved(table: Table) -> str:
    """What was done to rows of entities that were interleaved, in words; empty for others."""
    if table.order is None:
        return ""
    return (
        f"The rows of {len(table.of_entities())} entities are interleaved: each entity's are taken by themselves, in "
        "the order in which they stand."
    )


def unsure(detector: AbstractDetector) -> str:
    """A warning where the rows that set a detector's threshold are too few for its share of alarms; else nothing."""
    share, held, worth = detector.contamination, len(detector.held_out_scores_), detector.effective_
    counted = math.ceil(1.0 / share - 1.0 - 1e-9)
    if worth >= min(ENOUGH, counted):
        return ""
    config = detector.config
    needed, exact = (
        rows_for(
            one * held / worth, share=config.held_out, blocks=config.held_out_blocks, memory=detector.memory,
            parts=len(detector.parts),
        )
        for one in (min(ENOUGH, counted), counted)
    )  # fmt: skip
    more = f" ({exact:,} for it to be counted off)" if exact > needed else ""
    return (
        f"The history is short for {share:g} of the normal rows to alarm: {held} rows, worth {worth:.0f} independent "
        f"ones, set the threshold of {detector.threshold_:.3g}. It is a careful guess that gross rows may stay below: "
        f"rows like these should be about {needed:,}{more}, or --contamination greater."
    )


def blind(table: Table, memory: int) -> list[str]:
    """Warnings where gaps leave more than a fifth of the rows without a score, and where an entity has few scores.

    `memory` are the rows that a score looks back on.
    """
    told = []
    scored = sum(max(stop - start - memory + 1, 0) for start, stop in table.stretches)
    if table.gaps and scored < 0.8 * len(table):
        told.append(
            f"{len(table) - scored} of {len(table)} rows have no score: {table.gaps} gaps in their times start the "
            f"warm-up of {memory} rows anew. Where rows stop at night or at weekends, --no-breaks lets gaps break "
            "nothing."
        )
    if table.entities is None:
        return told
    by_entity = []
    for start, stop in table.of_entities():
        own = sum(max(b - a - memory + 1, 0) for a, b in table.stretches if start <= a < stop)
        if own < 0.5 * (stop - start):
            by_entity.append((str(table.entities[start]), own, stop - start))
    if by_entity:
        named = ", ".join(f"{name!r} ({own} of {rows})" for name, own, rows in by_entity[:5])
        more = f" and {len(by_entity) - 5} others" if len(by_entity) > 5 else ""
        told.append(
            f"Of {len(by_entity)} entities most rows have no score: {named}{more}. A score needs {memory} rows of an "
            "entity without a break."
        )
    return told
