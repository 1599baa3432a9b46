"""Which of the candidates is chosen, and by what rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A candidate that came to its end within the budget.

    Attributes:
        number: of its trial.
        skill: higher is better. error: its standard error.
        cost: lower is better; latency or parameters.
        says_one: whether it says one class only, whatever it sees. That is no skill, and its zero has no scatter.
    """

    number: int
    skill: float
    error: float
    cost: float
    says_one: bool = False


def contenders(scored: Sequence[Scored]) -> list[Scored]:
    """Those among whom is chosen: none that says one class only, where another is as good as the best.

    That is within one standard error, its own or the best one's, whichever is larger.
    """
    if not scored:
        return []
    best = max(scored, key=lambda one: one.skill)
    several = [one for one in scored if not one.says_one]
    as_good = [one for one in several if one.skill >= best.skill - max(best.error, one.error)]
    return several if as_good else list(scored)


def pareto(scored: Sequence[Scored]) -> list[Scored]:
    """Those that no other beats in one respect without losing in the other, by rising cost; of equals the first."""
    front: list[Scored] = []
    for one in sorted(scored, key=lambda s: (s.cost, -s.skill, s.number)):
        if not front or one.skill > front[-1].skill:
            front.append(one)
    return front


def choose(scored: Sequence[Scored]) -> Scored | None:
    """The cheapest of the Pareto set whose skill is within one standard error of the best one's; None of none.

    Chosen is among the `contenders`.

    The rule of Breiman et al. (1984, section 3.4.3): what lies within the error of the best cannot be told from it, so
    the smaller network is taken.
    """
    front = pareto(contenders(scored))
    if not front:
        return None
    best = max(front, key=lambda one: one.skill)
    return next(one for one in front if one.skill >= best.skill - best.error)
