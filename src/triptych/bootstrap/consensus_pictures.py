"""The explanation of a consensus as a picture: a row a member, and beneath how the votes became the decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from triptych.bootstrap.explaining_consensus import ExplainedConsensus, words_of
from triptych.bootstrap.explanation_pictures import (
    AGAINST,
    FOR,
    draw_axis,
    draw_candles,
    draw_image_and_heat,
    new_figure,
    save_figure,
)
from triptych.domain import CLASSES, utc

ROW, VOTES = 3.6, 4.2
"""Height of a member's row and of the votes, in inches."""
COLOURS = {"sell": "#ef5350", "hold": "#bdbdbd", "buy": "#26a69a"}


def draw_consensus(decision: ExplainedConsensus, path: Path) -> Path:
    """Draw the explanation of a consensus to a PNG file.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    count = len(decision.members)
    figure = new_figure(path, width=16.0, height=ROW * count + VOTES)
    grid = figure.add_gridspec(
        count + 1, 4, height_ratios=(*(ROW for _ in range(count)), VOTES), width_ratios=(1.0, 1.0, 0.7, 1.5)
    )
    for row, (name, one) in enumerate(decision.members.items()):
        draw_image_and_heat([figure.add_subplot(grid[row, i]) for i in (0, 1)], one.explanation, head=f"{name}: ")
        draw_axis(figure.add_subplot(grid[row, 2]), one.explanation)
        draw_candles(figure.add_subplot(grid[row, 3]), one, times=4)
    _draw_votes(figure.add_subplot(grid[count, 0:2]), decision)
    _draw_contributions(figure.add_subplot(grid[count, 2:4]), decision)
    joint = ", ".join(f"{name} {p:.1%}" for name, p in zip(CLASSES, decision.joint.probabilities, strict=True))
    figure.suptitle(
        f"{decision.symbol} {utc(decision.time_ms)} UTC by {decision.joint.method}: {joint}; wants "
        f"{words_of(decision.target)}. Explained: {decision.explained}.\n"
        f"{decision.filtered} {decision.sentence}".strip(),
        fontsize=11,
    )
    return save_figure(figure, path)


def _draw_votes(axes: Any, decision: ExplainedConsensus) -> None:
    """What each member said, and the consensus beneath, with and without each member."""
    rows = [
        (vote.model, (vote.probability_sell, vote.probability_hold, vote.probability_buy)) for vote in decision.votes
    ]
    rows.append((f"together: {words_of(decision.target)}", tuple(decision.joint.probabilities.tolist())))
    rows += [
        (f"without {one.name}: {words_of(one.target)}", tuple(one.probabilities.tolist()))
        for one in decision.without
        if one.probabilities is not None
    ]
    left = np.zeros(len(rows))
    for i, name in enumerate(CLASSES):
        width = np.array([probabilities[i] for _, probabilities in rows])
        axes.barh(np.arange(len(rows)), width, left=left, color=COLOURS[name], height=0.7, label=name)
        for y, (start, size) in enumerate(zip(left, width, strict=True)):
            if size > 0.08:
                axes.text(start + size / 2, y, f"{size:.1%}", ha="center", va="center", fontsize=7)
        left += width
    axes.set_yticks(np.arange(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.axhline(len(decision.votes) - 0.5, color="black", linewidth=0.8)
    axes.set_xlim(0.0, 1.0)
    axes.invert_yaxis()
    axes.legend(fontsize=7, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    axes.set_title("what each member said, and what came of it", loc="left", fontsize=10)


def _draw_contributions(axes: Any, decision: ExplainedConsensus) -> None:
    found = decision.joint.contributions
    values = np.array([one.adds for one in found])
    axes.barh(
        np.arange(len(found)), values, height=0.8, color=[tuple(FOR) if v >= 0 else tuple(AGAINST) for v in values]
    )
    names = [one.source if one.reads == one.source else f"{one.source}: {one.reads}" for one in found]
    axes.set_yticks(np.arange(len(found)), names, fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0.0, color="black", linewidth=0.5)
    axes.set_title(
        f"what each adds to the {decision.joint.quantity}, {decision.joint.total:+.3f}", loc="left", fontsize=10
    )
    axes.tick_params(axis="x", labelsize=7)
