"""Growth from small to large: how much of the sizes of a space is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROMISING = 3
"""Judged candidates of a stage after which the next one may open early."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A candidate that was judged, fully or until it was given up.

    Attributes:
        stage: that was open when it was chosen, from 1.
        skill: its skill, higher is better.
        at_edge: whether a size of it was the largest that was open.
    """

    stage: int
    skill: float
    at_edge: bool


def open_stage(tried: Sequence[Tried], *, stages: int, stage_trials: int) -> int:
    """The stage that is open now, 1 to `stages`; stage k of n opens k / n of every size.

    A stage opens when `stage_trials` candidates of the one before have been judged, or, after the first three of them,
    as soon as the best candidate of all is one whose size was the largest that was open: larger ones are promising.
    What a budget rejected was not judged, so a stage that is too slow already opens nothing larger.
    """
    stage = 1
    while stage < stages:
        here = [one for one in tried if one.stage == stage]
        known = [one for one in tried if one.stage <= stage]
        promise = len(here) >= PROMISING and max(known, key=lambda one: one.skill).at_edge
        if len(here) < stage_trials and not promise:
            break
        stage += 1
    return stage
