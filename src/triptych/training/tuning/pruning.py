"""Giving candidates up after some of their folds, by a side metric.

Optuna's pruners do not work with several objectives (`Trial.report` raises), so this one reads what finished folds left
behind. It is a pure function of these, so the same study gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def should_prune(own: Sequence[float], others: Sequence[Sequence[float]], *, below: float, after: int) -> bool:
    """Whether a candidate is to be given up after the folds it has behind it.

    Args:
        own: its skill in each fold until now, in order.
        others: the same of every other candidate; those with fewer folds are not compared.
        below: percentile of the others' mean skill over as many folds, 0 to 100; 0 gives none up.
        after: others that must have come as far.
    """
    if not own or below <= 0:
        return False
    steps = len(own)
    means = [float(np.mean(one[:steps])) for one in others if len(one) >= steps]
    return len(means) >= after and float(np.mean(own)) < float(np.percentile(means, below))
