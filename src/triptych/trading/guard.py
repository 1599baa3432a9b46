"""The guard: while the market is not itself, it lowers the allowed exposure, blocks entries or closes everything.

It stands in the engine between sizing and execution, so backtest, paper and live obey it alike. It looks at every
close once and in order, whether or not anything is decided there. What it remembers is a few numbers an instrument,
journalled with the engine's state.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from triptych import domain
from triptych.inference.base import AbstractView
from triptych.inference.watch import AbstractWatch, Reading

HOUR_MS = 3_600_000
Level = Literal["calm", "guarded", "severe"]


class Config(domain.Config):
    """What alarms lead to. An instrument is guarded from the alarm on until the market has calmed and time has passed.

    A guard never opens or enlarges a position, and never keeps the strategy from closing one.
    """

    detector: str | None = Field(
        None, description="Folder of the detector that watches (`triptych anomaly fit`); empty: nothing is guarded."
    )
    false_alarms: float | None = Field(
        None, gt=0, le=0.5, description="Share of normal closes that may alarm; empty keeps the detector's threshold."
    )
    scope: Literal["market", "instrument"] = Field(
        "market",
        description="Whom an alarm guards: every instrument (`market`), or those whose own channels stand out "
        "(`instrument`): the score counts for each by how large its largest evidence is beside the largest of all.",
    )
    policy: Literal["reduce", "block", "flatten"] = Field(
        "block",
        description="While guarded: `reduce` keeps a share of the wanted exposure, `block` opens and enlarges nothing, "
        "`flatten` closes everything.",
    )
    keep: float = Field(0.5, ge=0, le=1, description="Share of the wanted exposure that `reduce` keeps.")
    severe: float | None = Field(
        None,
        gt=1,
        description="Score, as a multiple of the threshold, at which any policy closes everything. None: never.",
    )
    alarms: int = Field(1, ge=1, le=1000, description="Alarms among the last `within` readings that it takes.")
    within: int = Field(1, ge=1, le=1000, description="Readings among which alarms are counted.")
    release: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Hysteresis: a reading is calm at a score of at most this multiple of the threshold.",
    )
    calm: int = Field(4, ge=1, le=10_000, description="Calm readings in a row after which trading is allowed again.")
    cool_down_hours: float = Field(
        0.0, ge=0, description="Hours after the last alarm in which trading is not allowed again, however calm it is."
    )
    without_reading: Literal["keep", "alarm", "release"] = Field(
        "keep",
        description="Where a close has no reading: `alarm` counts it as an alarm at once. `keep` and `release` leave "
        "everything as it is through `blind_closes`; then `keep` counts each further one as an alarm, and `release` "
        "lets go: nothing is guarded until there are readings again.",
    )
    blind_closes: int = Field(
        192,
        ge=1,
        le=100_000,
        description="Closes in a row without a reading through which `keep` and `release` leave everything as it is.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardActed:
    """The guard changed its mind about an instrument, and why; `action` is the policy, or release.

    `blind` changes nothing: the guard, which had acted already, has had no reading for too long.
    """

    symbol: str
    time_ms: int
    action: Literal["reduce", "block", "flatten", "release", "blind"]
    score: float
    threshold: float
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What the guard remembers of one instrument; plain values, fit for a journal.

    Attributes:
        symbol: the instrument.
        level: calm; guarded, the policy holds; severe, everything is closed.
        recent: whether each of the last `within` readings was an alarm, the newest last.
        calm: calm readings in a row.
        alarm_ms: close of the last alarm, UTC ms; -1 when there was none.
        reason: of the alarm that raised the level.
        blind: closes in a row without a reading.
        seen_ms: newest close that was looked at, UTC ms; -1: not known.
    """

    symbol: str
    level: Level = "calm"
    recent: tuple[bool, ...] = ()
    calm: int = 0
    alarm_ms: int = -1
    reason: str = ""
    blind: int = 0
    seen_ms: int = -1


class Guard:
    """Follows the readings of each instrument. A guard without a watch lets everything pass."""

    def __init__(self, config: Config | None = None, watch: AbstractWatch | None = None) -> None:
        self._config = config or Config()
        self._watch = watch
        self._watched: dict[str, Watched] = {}

    @property
    def length(self) -> int:
        """Candles of the past that a reading looks at."""
        return 0 if self._watch is None else self._watch.length

    @property
    def watched(self) -> tuple[str, ...]:
        """Instruments whose candles a reading looks at beside the one that is asked about."""
        return () if self._watch is None else self._watch.symbols

    def look(
        self, view: AbstractView, closes: Mapping[str, int], readings: Mapping[str, Reading | None] | None = None
    ) -> list[GuardActed]:
        """Take in what is read of candles that closed; returns what changes. A close counts once: one that was looked
        at is passed over, unless it had no reading, has not counted as an alarm for that, and has one now.

        Args:
            view: the candles known at that close.
            closes: close time of the newest candle by traded symbol, UTC ms.
            readings: by symbol, where they were made elsewhere from the same candles; None asks the watch.
        """
        if self._watch is None:
            return []
        found = self._watch.read_all(view, closes) if readings is None else readings
        acted = []
        for symbol, close_ms in closes.items():
            reading = found.get(symbol)
            if self._has_seen(symbol, close_ms, is_read=reading is not None):
                continue
            one = self._take(symbol, close_ms, reading) if reading else self._miss(view, symbol, close_ms)
            if one is not None:
                acted.append(one)
        return acted

    def awaits(self, closes: Mapping[str, int]) -> bool:
        """Whether a reading at any of these closes would still count."""
        return self._watch is not None and not all(
            self._has_seen(symbol, close_ms, is_read=True) for symbol, close_ms in closes.items()
        )

    def knows(self, symbol: str) -> bool:
        """Whether it has looked at a close of an instrument before."""
        return symbol in self._watched

    def resume_ms(self, symbols: Iterable[str], otherwise_ms: int) -> int:
        """The time after which closes of these instruments may still have to be looked at, UTC ms; -1: there is none.

        `otherwise_ms` is taken for what was remembered by a version that did not note when.
        """
        if self._watch is None:
            return -1
        known = [self._watched[symbol] for symbol in symbols if symbol in self._watched]
        return min((otherwise_ms if one.seen_ms < 0 else one.seen_ms - bool(one.blind) for one in known), default=-1)

    def _has_seen(self, symbol: str, close_ms: int, *, is_read: bool) -> bool:
        before = self._watched.get(symbol)
        if before is None or close_ms > before.seen_ms:
            return False
        return close_ms < before.seen_ms or not (is_read and before.blind and before.alarm_ms != close_ms)

    @property
    def blind(self) -> dict[str, int]:
        """Closes in a row without a reading, by instrument."""
        return {symbol: one.blind for symbol, one in self._watched.items()}

    def halt(self, symbol: str) -> str:
        """Why an instrument's position must be closed now; empty when it need not."""
        one = self._watched.get(symbol)
        if one is None or self._action(one.level) != "flatten":
            return ""
        return f"guard: {one.reason}"

    def allowed(self, symbol: str, exposure: float, current: float) -> tuple[float, str]:
        """The wanted exposure within what is allowed, and what the decision's reason has to add.

        Args:
            symbol: the instrument.
            exposure: wanted, signed notional / equity.
            current: held, signed notional / equity.
        """
        one = self._watched.get(symbol)
        if one is None or one.level == "calm" or exposure == 0:
            return exposure, ""
        if self._action(one.level) == "reduce":
            return exposure * self._config.keep, f"; guard: {self._config.keep:g} of it ({one.reason})"
        if exposure * current <= 0:
            return 0.0, f"; guard: no entry ({one.reason})"
        if abs(exposure) <= abs(current):
            return exposure, ""
        return math.copysign(abs(current), exposure), f"; guard: not enlarged ({one.reason})"

    def state(self) -> tuple[Watched, ...]:
        """All there is to remember, for the journal."""
        return tuple(self._watched.values())

    def restore(self, state: Iterable[Watched]) -> None:
        """Become the guard that `state` was taken from. Of an instrument that was looked at since, the newer stays."""
        for one in state:
            if one.symbol not in self._watched or one.seen_ms >= self._watched[one.symbol].seen_ms:
                self._watched[one.symbol] = one

    def _action(self, level: Level) -> Literal["reduce", "block", "flatten", "release"]:
        return "release" if level == "calm" else "flatten" if level == "severe" else self._config.policy

    def _miss(self, view: AbstractView, symbol: str, time_ms: int) -> GuardActed | None:
        """A close without a reading."""
        assert self._watch is not None
        config = self._config
        before = self._watched.get(symbol) or Watched(symbol=symbol)
        blind = before.blind + 1
        self._watched[symbol] = replace(before, blind=blind, seen_ms=time_ms)
        if config.without_reading == "alarm":
            return self._take(symbol, time_ms, _unread("the market cannot be read"), blind)
        if blind <= config.blind_closes:
            return None
        first = blind == config.blind_closes + 1
        why = self._watch.why_blind(view, {symbol: time_ms}) if first or before.level == "calm" else ""
        reason = f"no reading for {blind} closes{why and ': '}{why}"
        acted = None
        if config.without_reading == "keep":
            acted = self._take(symbol, time_ms, _unread(reason), blind)
        elif before.level != "calm":
            self._watched[symbol] = Watched(symbol=symbol, blind=blind, seen_ms=time_ms)
            return GuardActed(symbol=symbol, time_ms=time_ms, action="release", score=0.0, threshold=0.0, reason=reason)
        if acted is None and first:
            acted = GuardActed(symbol=symbol, time_ms=time_ms, action="blind", score=0.0, threshold=0.0, reason=reason)
        return acted

    def _take(self, symbol: str, time_ms: int, reading: Reading, blind: int = 0) -> GuardActed | None:
        config = self._config
        before = self._watched.get(symbol) or Watched(symbol=symbol)
        recent = (*before.recent, reading.alarm)[-config.within :]
        is_calm = not reading.alarm and reading.score <= config.release * reading.threshold
        calm = before.calm + 1 if is_calm else 0
        alarm_ms = time_ms if reading.alarm else before.alarm_ms
        level, reason = before.level, before.reason
        if reading.alarm and sum(recent) >= config.alarms:
            is_severe = config.severe is not None and reading.score > config.severe * reading.threshold
            if is_severe or level == "calm":
                level, reason = ("severe" if is_severe else "guarded"), _words(reading)
        elif level != "calm" and calm >= config.calm and time_ms >= alarm_ms + config.cool_down_hours * HOUR_MS:
            level, reason = "calm", ""
        self._watched[symbol] = Watched(
            symbol=symbol, level=level, recent=recent, calm=calm, alarm_ms=alarm_ms, reason=reason, blind=blind,
            seen_ms=time_ms,
        )  # fmt: skip
        if self._action(level) == self._action(before.level):
            return None
        return GuardActed(
            symbol=symbol,
            time_ms=time_ms,
            action=self._action(level),
            score=reading.score,
            threshold=reading.threshold,
            reason=reason or f"{calm} calm readings, score {reading.score:.2f} of {reading.threshold:.2f}",
        )


def _unread(reason: str) -> Reading:
    return Reading(score=0.0, threshold=0.0, alarm=True, reasons=reason)


def _words(reading: Reading) -> str:
    if reading.threshold <= 0.0:  # none was made
        return reading.reasons
    return f"score {reading.score:.2f} above {reading.threshold:.2f}: {reading.reasons}".removesuffix(": ")
