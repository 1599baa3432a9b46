"""The explanation of a consensus as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from triptych.cli.explanation_tables import caution, explanation_tables, table_of

if TYPE_CHECKING:
    from triptych.bootstrap.explaining_consensus import ExplainedConsensus

SHOWN = 5
"""Entries of each table of a member."""


def consensus_tables(decision: ExplainedConsensus) -> list[Table | str]:
    """How the votes became the decision, then what each member looked at; sentences stand between the tables."""
    content = decision.to_dict()
    joint = decision.joint
    head = Table(title=f"{decision.symbol} at {content['time']} UTC, fold {decision.fold + 1}", title_justify="left")
    for name in ("joined by", "decision", *content["probabilities"], "wanted before"):
        head.add_column(name, justify="left" if name in ("joined by", "decision") else "right")
    head.add_row(
        joint.method, f"{decision.target:+g}", *(f"{p:.1%}" for p in content["probabilities"].values()),
        f"{decision.wanted_before:+g}",
    )  # fmt: skip
    votes = table_of("Votes", ("member", "sell", "hold", "buy", "weight", "adds", "without it", "changes"))
    for row in content["members"]:
        left = row["without"]
        votes.add_row(
            escape(row["name"]), *(f"{p:.1%}" for p in row["vote"].values()),
            "-" if row["weight"] is None else f"{row['weight']:.2f}", f"{row['adds']:+.3f}",
            "-" if left is None else f"{left['target']:+g}",
            "-" if left is None else "yes" if left["changes"] else "no",
        )  # fmt: skip
    found: list[Table | str] = [head, f"Because: {decision.reason}.", votes]
    if len(joint.contributions) > len(decision.votes):
        rule = table_of(f"Sum: {joint.quantity}, {joint.total:+.3f}", ("from", "reads", "value", "adds"))
        for one in joint.contributions:
            rule.add_row(escape(one.source), escape(one.reads), f"{one.value:+.3f}", f"{one.adds:+.3f}")
        found.append(rule)
    if decision.filtered:
        found.append(decision.filtered)
    found.append(decision.sentence)
    for name, member in decision.members.items():
        first, *rest = explanation_tables(member, shown=SHOWN)
        first.title = f"Member {escape(name)}"
        found += [first, *rest]
        found += [words for words in (decision.methods[name], caution(member)) if words]
    return found
