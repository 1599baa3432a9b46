"""The ladder of fallback: the large model, the small one, rules, and below them no prediction at all.

Within one decision, whatever a level fails at (an error, NaN, the deadline, a lost device) is asked of the next one in
the time that is left. Where there is a rule, which takes no time, a tenth of the deadline is kept for it; a model to
which those before it have left too little time has not failed by that.

A level that fails `demote_after` decisions in a row is put off duty; while it is, it is tried again beside the level on
duty every `probe_every` decisions, its answers are compared with the clock and thrown away, and after `promote_after`
sound answers in a row it comes back. So a model that fails now and then costs one decision of a smaller model each
time, one that has broken down costs no time any more, and nothing comes back on a single good day.

Level 0 is the first model. When no level answers there is no prediction: what the engine does then (hold or go flat)
is the recipe's `without_prediction`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import Field

from triptych import domain
from triptych.domain import Prediction
from triptych.inference.base import AbstractView
from triptych.inference.reference import NO_REFERENCE, Reference
from triptych.live.failover.level import Answer, Level
from triptych.live.failover.snapshot import Snapshot

KEPT: Final = 0.1
"""Share of the deadline that models leave for a level that answers in no time to speak of."""
ENOUGH: Final = 0.9
"""A level that had this share of the time it would have had alone, and did not answer in it, has failed."""


class Config(domain.Config):
    """When a model is put off duty, and when it comes back."""

    deadline_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Longest time from the close of a candle's data to the predictions, over all levels, in seconds; a "
        "tenth of it is kept for the rules, where they are the last resort.",
    )
    demote_after: int = Field(default=3, ge=1, description="Failed decisions in a row that put a level off duty.")
    probe_every: int = Field(default=4, ge=1, description="Decisions between two trials of a level that is off duty.")
    promote_after: int = Field(default=3, ge=1, description="Sound trials in a row that bring a level back on duty.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Predictions of one decision and where they come from.

    Attributes:
        predictions: by symbol; empty when no level answered.
        level: place of the level that answered, from 0; the number of levels when none did.
        name: of that level; "none" when none did.
        failures: what went wrong on the way, by level.
        unasked: levels among them that were not asked, because no time was left.
        seconds: of each level that was asked, by name.
        identity: fingerprint of the model that answered; empty when none did.
        reference: of that model.
    """

    predictions: Mapping[str, Prediction | None]
    level: int
    name: str
    failures: Mapping[str, str]
    seconds: Mapping[str, float]
    identity: str = ""
    reference: Reference = NO_REFERENCE
    unasked: frozenset[str] = frozenset()

    @property
    def model(self) -> str:
        """See `Level.model`."""
        return self.identity or self.name


@dataclass(slots=True)
class Ladder:
    """Asks the first level that can be trusted.

    Attributes:
        levels: the best first.
        config: when levels go and come back.
        note: told in words whenever a level goes off duty or comes back.
        floor: levels above this one do not decide, for a reason that they do not know of themselves, such as drift; the
            first model is tried at every decision meanwhile, so that whoever has set the floor can see when it is over.
        on_trial: told what a level has answered in a trial.
    """

    levels: Sequence[Level]
    config: Config
    note: Callable[[str], None]
    floor: int = 0
    on_trial: Callable[[Outcome], None] | None = None
    _trials: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    @property
    def on_duty(self) -> int:
        """Place of the level that will be asked first; the number of levels when all are off duty."""
        return next(iter(self._on_duty()), len(self.levels))

    def standings(self) -> list[dict[str, str | bool | int]]:
        """How each level stands, the best first: name, whether it is off duty or busy, failures in a row."""
        return [
            {"name": one.name, "off_duty": one.duty.is_off, "busy": one.is_busy, "failures": one.duty.failures}
            for one in self.levels
        ]

    async def predict(self, view: AbstractView, closes: Mapping[str, int]) -> Outcome:
        """Predictions for all symbols from the best level that answers in time.

        Args:
            view: the candles known now; copied before anything is asked.
            closes: close time of the newest candle by symbol, UTC milliseconds.
        """
        end = time.monotonic() + self.config.deadline_seconds
        for i in self._due():
            self._begin_trial(i, self.levels[i].snapshot(view, closes), closes)
        held = self._held_by_floor()
        beside = None if held is None else self.levels[held].snapshot(view, closes)
        failures: dict[str, str] = {}
        seconds: dict[str, float] = {}
        unasked: set[str] = set()
        found: tuple[int, Answer] | None = None
        for i in self._on_duty():
            level = self.levels[i]
            snapshot = level.snapshot(view, closes)
            alone_s = min(level.deadline_s, self.config.deadline_seconds - self._kept_s(i))
            within_s = end - self._kept_s(i) - time.monotonic()
            answer = await level.ask(snapshot, closes, within_s=within_s)
            if answer.was_asked and not (answer.is_late and within_s < ENOUGH * alone_s):
                self._judge(level, answer)
            if answer.was_asked:
                seconds[level.name] = answer.seconds
            else:
                unasked.add(level.name)
            if not answer.failure:
                found = i, answer
                break
            failures[level.name] = answer.failure
        if held is not None and beside is not None:  # behind the decision, which it must not slow down
            self._begin_trial(held, beside, closes)
        went = Outcome(
            predictions={}, level=len(self.levels), name="none", failures=failures, seconds=seconds,
            unasked=frozenset(unasked),
        )  # fmt: skip
        return went if found is None else self._of(*found, went)

    @property
    def stand_in(self) -> int:
        """Place of the first level with another model than the first one's; the number of levels where none has."""
        return next((i for i, one in enumerate(self.levels) if one.model != self.levels[0].model), len(self.levels))

    def _held_by_floor(self) -> int | None:
        """The best level that only the floor keeps from deciding, unless it is busy."""
        held = next((i for i, one in enumerate(self.levels[: self.floor]) if not one.duty.is_off), None)
        return None if held is None or self.levels[held].is_busy else held

    def _of(self, i: int, answer: Answer, went: Outcome) -> Outcome:
        """The answer of level `i`, and what went wrong before."""
        level = self.levels[i]
        return replace(
            went, predictions=answer.predictions, level=i, name=level.name, identity=level.identity,
            reference=level.reference,
        )  # fmt: skip

    def _on_duty(self) -> list[int]:
        return [i for i, level in enumerate(self.levels) if i >= self.floor and not level.duty.is_off]

    def _kept_s(self, i: int) -> float:
        """Seconds of the deadline that level `i` must leave for one below it."""
        has_rule = any(self.levels[j].is_instant for j in self._on_duty() if j > i)
        return KEPT * self.config.deadline_seconds if has_rule else 0.0

    def _judge(self, level: Level, answer: Answer) -> None:
        duty = level.duty
        if not answer.failure:
            duty.failures = 0
            return
        duty.failures += 1
        if duty.failures >= self.config.demote_after:
            duty.is_off, duty.waited, duty.sound = True, 0, 0
            self.note(f"{level.name} is off duty after {duty.failures} failures in a row: {answer.failure}")

    def _due(self) -> list[int]:
        """Levels off duty whose turn for a trial it is."""
        due = []
        for i, level in enumerate(self.levels):
            duty = level.duty
            if duty.is_off:
                duty.waited += 1
                if duty.waited >= self.config.probe_every and not level.is_busy:
                    duty.waited = 0
                    due.append(i)
        return due

    def _begin_trial(self, i: int, snapshot: Snapshot, closes: Mapping[str, int]) -> None:
        trial = asyncio.create_task(self._try(i, snapshot, closes))
        self._trials.add(trial)
        trial.add_done_callback(self._trials.discard)

    async def _try(self, i: int, snapshot: Snapshot, closes: Mapping[str, int]) -> None:
        level, duty = self.levels[i], self.levels[i].duty
        answer = await level.ask(snapshot, closes, within_s=self.config.deadline_seconds)
        if level.duty is not duty:  # another model has taken its place meanwhile
            return
        if duty.is_off:
            duty.sound = 0 if answer.failure else duty.sound + 1
            if duty.sound >= self.config.promote_after:
                duty.is_off, duty.failures, duty.sound = False, 0, 0
                self.note(f"{level.name} is on duty again after {self.config.promote_after} sound answers in a row")
        else:
            self._judge(level, answer)
        if self.on_trial is not None and not answer.failure:
            went = Outcome(predictions={}, level=i, name="", failures={}, seconds={level.name: answer.seconds})
            self.on_trial(self._of(i, answer, went))

    def close(self) -> None:
        """Give up trials and let go of all threads."""
        for trial in self._trials:
            trial.cancel()
        for level in self.levels:
            level.close()
