"""What a model is asked about although it has learned from it: there its word is hindsight, no forecast.

A trained run trades with its newest model, which has learned from nearly all of the run's own candles. On these it may
look splendid and show nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.session_models import Models
from triptych.bootstrap.telling import Tell
from triptych.domain import CandleSeries, utc
from triptych.inference import Artifact, ConsensusArtifact, fingerprint
from triptych.live.journal import Journal, StepRecorded
from triptych.market.store import to_ms

LEARNED: Final = "learned_from_it"
"""Column of predictions: whether the model that made one has learned from candles of its time."""
IDENTITY_LETTERS: Final = 12
"""Of a model's fingerprint stand in the journal, after its name."""
OF_CANDLES: Final = '"cause":"candles"'
"""In the JSON of a decision on closed candles; others fall between two closes."""


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """How much of what is traded the models had learned from.

    Attributes:
        learned_until: by the folder's name of each run that may decide, UTC milliseconds.
        closes: that are traded.
        seen: of these, not later than what the model that decides has learned from.
        first_after_ms: first traded close that is later than all that was learned, UTC ms, where a session could begin
            with it; else None.
    """

    learned_until: Mapping[str, int]
    closes: int
    seen: int
    first_after_ms: int | None = None

    @property
    def sentence(self) -> str:
        """What is to be said of it; empty where nothing that is traded was learned from."""
        if not self.seen:
            return ""
        learned = ", ".join(f"{name} until {utc(until)} UTC" for name, until in self.learned_until.items())
        share = "all" if self.seen == self.closes else f"{self.seen:,}"
        remedy = "Trade a later tape"
        if self.first_after_ms is not None:
            remedy += f", or only what comes after: --from {utc(self.first_after_ms).replace(' ', 'T')}"
        return (
            f"The model has learned from candles of this time ({learned}): {share} of the {self.closes:,} closes "
            f"traded are not later, and what is earned at them is no out-of-sample result. {remedy}, with a new "
            "journal."
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; times in words, UTC."""
        return {
            "learned_until": {name: utc(until) for name, until in self.learned_until.items()},
            "closes": self.closes,
            "seen": self.seen,
            "note": self.sentence,
        }


def learned_until_ms(artifact: Artifact | ConsensusArtifact) -> int:
    """Close of the last candle that could teach a model, or any member of a consensus, UTC milliseconds."""
    members = [artifact] if isinstance(artifact, Artifact) else list(artifact.members.values())
    return max(to_ms(one.card.taught_until) for one in members)


def hindsight_ahead(models: Models, closes_ms: NDArray[np.int64]) -> Hindsight:
    """Of closes that are about to be traded, by the model that trades first.

    Args:
        models: of the session.
        closes_ms: of all instruments, int64 of shape (n,), UTC ms; a close of several counts once.
    """
    closes, until = np.unique(closes_ms), learned_until_ms(models.first)
    later = closes[closes > max(_by_run(models).values())]
    return Hindsight(
        learned_until=_by_run(models), closes=len(closes), seen=int((closes <= until).sum()),
        first_after_ms=int(later[0]) if len(later) else None,
    )  # fmt: skip


def hindsight_behind(models: Models, journal: Journal, *, on_tape: bool) -> Hindsight:
    """Of all closes that a journal tells of, each by the model that decided at it: of earlier sessions too, since what
    the account holds is what they left. A close at which another model decided counts as not seen.

    Args:
        models: of the session.
        journal: of it.
        on_tape: whether a session could be begun later by --from.

    Raises JournalError when it cannot be read.
    """
    known = {fingerprint(one)[:IDENTITY_LETTERS]: learned_until_ms(one) for one in models.artifacts}
    closes, seen, first_after, begin = 0, 0, None, None
    with contextlib.closing(journal.entries(kinds=(StepRecorded,), holding=OF_CANDLES)) as steps:
        for entry in steps:
            step = entry.record
            assert isinstance(step, StepRecorded)
            if step.close_ms > max(known.values()):  # nothing that follows was learned from
                first_after, begin = step.close_ms, entry.seq
                break
            closes += 1
            seen += step.close_ms <= known.get(step.model.rpartition(" ")[2], -1)
    if begin is not None:  # counted, not decoded: a year of minutes is half a million decisions
        closes += journal.count(StepRecorded, after=begin - 1, holding=OF_CANDLES)
    after = first_after if on_tape else None
    return Hindsight(learned_until=_by_run(models), closes=closes, seen=seen, first_after_ms=after)


def _by_run(models: Models) -> dict[str, int]:
    """Until when each model has learned, by the name of its run's folder, or the whole path where names are alike."""
    names = [run.folder.name for run in models.runs]
    return {
        str(run.folder) if names.count(name) > 1 else name: learned_until_ms(one)
        for name, run, one in zip(names, models.runs, models.artifacts, strict=True)
    }


def tell_ahead(models: Models, series: Sequence[CandleSeries], since_ms: int, tell: Tell) -> None:
    """Say before a session whether it will trade what was learned from: closes of histories after a time, UTC ms."""
    closes = [one.close_time_ms[one.close_time_ms > since_ms] for one in series]
    if sentence := hindsight_ahead(models, np.concatenate(closes)).sentence:
        tell(f"WARNING: {sentence}")


def tell_of_past_market(models: Models, now_ms: int, tell: Tell) -> None:
    """Say before a session on a venue whether its market lives in a time that was learned from, as a served tape may.

    Args:
        models: of the session.
        now_ms: newest close of the venue, UTC ms.
        tell: told.
    """
    until = max(_by_run(models).values())
    if now_ms < until:
        tell(
            f"WARNING: The newest close of this market was at {utc(now_ms)} UTC, and the model has learned from "
            f"candles until {utc(until)} UTC: what is earned before that is no out-of-sample result. Serve a later "
            "tape, with a new journal."
        )
