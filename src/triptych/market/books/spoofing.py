"""Spoofing by rule: layers of large orders that vanish together, away from the touch, after the other side has traded.

The score of a group of walls at the row in which it vanished is a product of five marks, each from 0 to 1, so that a
group that lacks one of them cannot score high:

- layers: how many walls of one side were pulled within a few rows of each other, full at `layers`;
- away: none of them was ever at the touch, and none was filled;
- haste: they stood at most `longest` rows, less and less up to twice as long;
- lure: how much more than before was traded by those whom the layers would make hurry (buyers, when bids were
  layered), full at `lure` times the usual rate;
- one-sidedness: the other side did not pull walls at the same time, as a market maker does who steps back. A wall of
  the other side that was filled then does not count: the spoofer's own order is filled there, which is what the layers
  are for.

These are the marks of the cases that regulators describe (United States v. Coscia, 866 F.3d 782, 7th Cir. 2017;
CFTC, "Antidisruptive Practices Authority", 78 FR 31890, 2013). Intent, which the law asks for, is in no tape: a high
score is a reason to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.books.belonging import refuse_foreign_trades
from triptych.market.books.tape import BookTape
from triptych.market.books.trades import Trades
from triptych.market.books.walls import Config as WallsConfig
from triptych.market.books.walls import Wall, find_walls

LAYER: Final = WallsConfig(multiple=4.0, usual="side")
"""What counts as a layer, by which the marks and the least score of an alarm were chosen: the mark `away` sees to it
that the touch, ordinary as it may be, is none."""


class Config(BaseConfig):
    """What counts as spoofing."""

    walls: WallsConfig = Field(LAYER, description="What counts as a large order.")
    layers: int = Field(3, ge=1, le=100, description="Walls pulled together at which the mark is full.")
    together: int = Field(2, ge=0, le=1000, description="Rows within which walls count as pulled together.")
    longest: int = Field(30, ge=1, le=100_000, description="Rows that hasty walls stand at most.")
    lure: float = Field(
        2.0, gt=1, description="Rate of trades against the other side, in usual rates, for a full mark."
    )
    usual_rows: int = Field(300, ge=10, le=1_000_000, description="Rows before, from which the usual rate is taken.")
    threshold: float = Field(0.4, gt=0, le=1, description="Least score of an alarm.")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoofingAlarm:
    """Walls of one side that vanished together.

    Attributes:
        side: of the walls, 1 for bids, -1 for asks.
        first: row in which the first of them appeared; last: the last row in which one of them stood.
        known_at: row at which the alarm could be given.
        walls: how many.
        low, high: lowest and highest of their prices, in quote currency.
        marks: layers, away, haste, lure (with trades) and one-sidedness, each from 0 to 1.
        score: their product.
    """

    side: int
    first: int
    last: int
    known_at: int
    walls: int
    low: float
    high: float
    marks: dict[str, float]
    score: float


def find_spoofing(tape: BookTape, trades: Trades | None, config: Config | None = None) -> tuple[SpoofingAlarm, ...]:
    """All alarms of a tape, in the order in which they became known. Without trades there is no mark of lure.

    A group is judged `together` rows after its first wall was pulled, when all that counts with it has been pulled.

    Raises DataError for trades of another instrument or time.
    """
    config = config or Config()
    if trades is not None:
        refuse_foreign_trades(tape, trades)
    walls = [one for one in find_walls(tape, config.walls, trades=trades) if one.ending in ("pulled", "filled")]
    rate = None if trades is None else _LureRate(tape, trades, config.usual_rows)
    alarms = []
    for side in (1, -1):
        own = [one for one in walls if one.side == side and one.ending == "pulled"]
        other = np.array([one.known_at for one in walls if one.side == -side and one.ending == "pulled"], np.int64)
        filled = [one for one in walls if one.side == side and one.ending == "filled"]
        for group in _together(own, config.together):
            known_at = group[0].known_at + config.together
            if known_at >= len(tape):
                continue  # not judged yet
            alarm = _judged(group, known_at, other, filled, rate, config)
            if alarm.score >= config.threshold:
                alarms.append(alarm)
    return tuple(sorted(alarms, key=lambda one: (one.known_at, one.side)))


def _together(walls: list[Wall], rows: int) -> list[list[Wall]]:
    """Groups of walls that were pulled within `rows` rows of the first of them."""
    groups: list[list[Wall]] = []
    for wall in walls:
        if groups and wall.known_at - groups[-1][0].known_at <= rows:
            groups[-1].append(wall)
        else:
            groups.append([wall])
    return groups


def _judged(
    group: list[Wall],
    known_at: int,
    other: NDArray[np.int64],
    filled: list[Wall],
    rate: _LureRate | None,
    config: Config,
) -> SpoofingAlarm:
    side, first, pulled = group[0].side, min(one.first for one in group), group[0].known_at
    stood = max(one.rows for one in group)
    near = np.abs(other - pulled) <= config.together
    met = sum(1 for one in filled if first <= one.known_at <= known_at)
    touched = sum(1 for one in group if one.last_distance == 0 or one.distance == 0)
    lure: dict[str, float] = {}
    if rate is not None:
        lure["lure"] = float(np.clip((rate(side, first, pulled) - 1.0) / (config.lure - 1.0), 0.0, 1.0))
    marks = {
        "layers": min(1.0, len(group) / config.layers),
        "away": 1.0 - (touched + met) / (len(group) + met),
        "haste": float(np.clip(2.0 - stood / config.longest, 0.0, 1.0)),
        **lure,
        "one-sidedness": max(0.0, 1.0 - int(near.sum()) / len(group)),
    }
    return SpoofingAlarm(
        side=side, first=first, last=max(one.last for one in group), known_at=known_at, walls=len(group),
        low=min(one.price for one in group), high=max(one.price for one in group), marks=marks,
        score=float(np.prod(list(marks.values()))),
    )  # fmt: skip


class _LureRate:
    """Size traded by one kind of aggressor a row, against that of the rows before.

    A trade belongs to the first book that stands at its time or later, if the book before that one is of the same
    segment. What was traded before the first book, or in a gap of the books, belongs to none: it fills no row's time,
    and the first rows of segments count neither among the rows of a group nor among the usual ones.
    """

    def __init__(self, tape: BookTape, trades: Trades, usual_rows: int) -> None:
        follows = np.zeros(len(tape), dtype=bool)
        follows[1:] = np.diff(tape.segment) == 0
        row = np.searchsorted(tape.time_ms, trades.time_ms, side="left")
        inside = np.append(follows, False)[row]
        self._sums = {}
        for side in (1, -1):
            mine = inside & (trades.side == side)
            per_row = np.bincount(row[mine], weights=trades.size[mine], minlength=len(tape))
            self._sums[side] = np.concatenate(([0.0], np.cumsum(per_row)))
        self._rows = np.concatenate(([0], np.cumsum(follows)))
        self._usual_rows = usual_rows

    def __call__(self, side: int, first: int, stop: int) -> float:
        """Rate in rows first .. stop - 1 over that of the `usual_rows` rows before; 0 where nothing was traded."""
        before = max(0, first - self._usual_rows)
        now, usual = self._a_row(side, first, stop), self._a_row(side, before, first)
        if usual > 0:
            return now / usual
        return float("inf") if now > 0 else 0.0

    def _a_row(self, side: int, first: int, stop: int) -> float:
        sums, rows = self._sums[side], self._rows
        return float((sums[stop] - sums[first]) / max(rows[stop] - rows[first], 1))
