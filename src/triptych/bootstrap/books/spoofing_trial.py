"""How good the rule of spoofing is where the truth is known: on simulated streams with planted spoofing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from triptych.domain.errors import NotEnoughData
from triptych.market.books.spoofing import Config as RuleConfig
from triptych.market.books.spoofing import SpoofingAlarm, find_spoofing
from triptych.market.synthetic.spoofing import Config as StreamConfig
from triptych.market.synthetic.spoofing import Episode, simulate_spoofing
from triptych.training.intervals import Interval, share_interval

THRESHOLDS: Final = tuple(step / 10 for step in range(1, 10))


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoofingTrial:
    """What came of one threshold.

    Attributes:
        threshold: least score of an alarm.
        planted: spoofing episodes; found: those with an alarm of their side.
        alarms: all alarms; right: those inside of a spoofing episode of their side.
        delay_rows: median rows from the last row of an episode's orders to its first alarm; NaN without any.
        false_by_kind: wrong alarms by the episode they fell into, `quiet` between episodes.
        rows: of all streams.
    """

    threshold: float
    planted: int
    found: int
    alarms: int
    right: int
    delay_rows: float
    false_by_kind: dict[str, int]
    rows: int

    @property
    def precision(self) -> Interval:
        """Right alarms among all, with Wilson's interval at 95 %; NaN without any."""
        return share_interval(self.right, self.alarms)

    @property
    def recall(self) -> Interval:
        """Found episodes among all, likewise. Episodes are drawn one by one, with quiet rows between them."""
        return share_interval(self.found, self.planted)


def try_spoofing(
    stream: StreamConfig | None = None,
    rule: RuleConfig | None = None,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    streams: int = 20,
) -> tuple[SpoofingTrial, ...]:
    """Precision, recall and delay of the rule at several thresholds.

    Args:
        stream: what is simulated; its seed is that of the first stream, the others follow.
        rule: the rule; its threshold is not used.
        thresholds: least scores.
        streams: how many.

    An alarm is right when it becomes known while the orders of a spoofing episode of its side stand, or within as many
    rows of their end as the rule waits for others, and two more. Raises NotEnoughData when nothing was planted.
    """
    stream, rule = stream or StreamConfig(), rule or RuleConfig()
    everything = rule.model_copy(update={"threshold": 1e-9})
    seen: list[tuple[tuple[Episode, ...], tuple[SpoofingAlarm, ...], int]] = []
    for number in range(streams):
        made = simulate_spoofing(stream.model_copy(update={"seed": stream.seed + number}))
        seen.append((made.episodes, find_spoofing(made.tape, made.trades, everything), len(made.tape)))
    planted = sum(one.kind == "spoofing" for episodes, *_ in seen for one in episodes)
    if not planted:
        raise NotEnoughData("No spoofing was planted.", remedy="Simulate more episodes.")
    slack = rule.together + 2
    return tuple(_at(threshold, seen, planted, slack) for threshold in thresholds)


def _at(
    threshold: float,
    seen: Sequence[tuple[tuple[Episode, ...], tuple[SpoofingAlarm, ...], int]],
    planted: int,
    slack: int,
) -> SpoofingTrial:
    delays: dict[tuple[int, int], int] = {}
    wrong: Counter[str] = Counter()
    right = 0
    for number, (episodes, alarms, _) in enumerate(seen):
        starts = np.array([one.first for one in episodes])
        for alarm in alarms:
            if alarm.score < threshold:
                continue
            place = int(np.searchsorted(starts, alarm.known_at, side="right")) - 1
            inside = place >= 0 and alarm.known_at <= episodes[place].last + slack
            if inside and episodes[place].kind == "spoofing" and episodes[place].side == alarm.side:
                right += 1
                delays.setdefault((number, place), alarm.known_at - episodes[place].last)
            else:
                wrong[episodes[place].kind if inside else "quiet"] += 1
    return SpoofingTrial(
        threshold=threshold, planted=planted, found=len(delays), alarms=right + wrong.total(), right=right,
        delay_rows=float(np.median(list(delays.values()))) if delays else float("nan"),
        false_by_kind=dict(sorted(wrong.items())), rows=sum(rows for *_, rows in seen),
    )  # fmt: skip
