"""Rows that never come to a score, told aloud: a detector that is blind must not look like one that sees nothing."""

from __future__ import annotations

from triptych.inference.anomaly.table import Table


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
