"""Why a strategy that wanted to trade never did."""

from __future__ import annotations

import re
from collections import Counter

import polars as pl

_NUMBER = re.compile(r"[0-9][0-9.,e-]*")
_STOPS = ("cut from", "no order", "order denied", "order rejected", "sizing stakes", "guard:")
"""How those parts of a decision's reason begin that say what became of a wish; the engine writes them."""


def held_back(decisions: pl.DataFrame, fills: pl.DataFrame) -> str:
    """What kept every order from being filled, a sentence; empty where something was filled, or nothing was wanted.

    Args:
        decisions, fills: of a `BacktestResult`.
    """
    wanted = decisions.filter(pl.col("target") != 0)
    if len(fills) or wanted.is_empty():
        return ""
    said = [_stop(reason) for reason in wanted["reason"].to_list()]
    kinds = Counter(_NUMBER.sub("#", words) for words in said if words)
    sentence = f"It wanted a position at {len(wanted):,} of {len(decisions):,} closes, and not one order was filled."
    if not kinds:
        return sentence
    kind, count = kinds.most_common(1)[0]
    example = next(words for words in said if _NUMBER.sub("#", words) == kind)
    return f"{sentence} Most often ({count:,} times): {example}."


def _stop(reason: str) -> str:
    """The parts of a decision's reason that say what held it back."""
    parts = (part.strip() for part in reason.split(";"))
    return "; ".join(part for part in parts if part.startswith(_STOPS))
