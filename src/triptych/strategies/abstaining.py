"""Why a strategy of thresholds entered nothing, over all of its decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.strategies.threshold import Config


def why_nothing_was_entered(config: Config, probabilities: NDArray[np.floating], reasons: Sequence[str]) -> str:
    """What kept a strategy from entering anything, a sentence or two: the first of its conditions that never held.

    Args:
        config: thresholds, margin and the directions that are allowed.
        probabilities: of the decisions, shape (n_decisions, 3): sell, hold, buy. Rows that are not finite are no
            decisions.
        reasons: of the same decisions, in words; they tell what stood against those that the thresholds let through.

    Returns:
        The sentence; empty without a decision.
    """
    known = np.isfinite(probabilities).all(axis=1)
    sell, hold, buy = probabilities[known].T
    if not len(buy):
        return ""
    allowed = [name for name, is_so in (("long", config.allow_long), ("short", config.allow_short)) if is_so]
    if not allowed:
        return "No direction may be entered: strategy.allow_long and strategy.allow_short are both false."
    lead = np.column_stack([buy - sell if name == "long" else sell - buy for name in allowed])
    own = np.column_stack([buy if name == "long" else sell for name in allowed])
    score = lead if config.score == "edge" else own
    which = "a direction" if len(allowed) == 2 else allowed[0]
    holds = float(((hold >= sell) & (hold >= buy)).mean())
    held = f"; hold was the likeliest class in {holds:.0%} of {len(hold):,} decisions."
    is_sure = score >= config.enter
    if not is_sure.any():
        return f"The largest {config.score} of {which} was {score.max():.3f}, to enter it takes {config.enter:g}{held}"
    sure = int(is_sure.any(axis=1).sum())
    if not (is_sure & (lead >= config.margin)).any():
        return (
            f"The {config.score} of {which} was high enough to enter ({config.enter:g}) in {sure:,} of {len(hold):,} "
            f"decisions, but it led the opposite one by {lead[is_sure].max():.3f} at most, and strategy.margin asks "
            f"for {config.margin:g}{held}"
        )
    passed = np.flatnonzero(known)[(is_sure & (lead >= config.margin)).any(axis=1)]
    said = [reasons[i].partition("; votes:")[0] for i in passed]
    kind, count = Counter(_without_figures(one) for one in said).most_common(1)[0]
    example = next(one for one in said if _without_figures(one) == kind)
    return (
        f"Its thresholds would have let {which} be entered in {len(passed):,} of {len(hold):,} decisions. Most "
        f"often ({count:,} times): {example}."
    )


def _without_figures(reason: str) -> str:
    return "".join(letter for letter in reason if not letter.isdigit())
