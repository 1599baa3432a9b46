"""A new model in the place of an old one, while the house trades.

An artifact that was replaced on disk is loaded and checked against the hashes on its card, then it must fit the house
(timeframe, instruments, order books, candles in memory) and answer a shadow prediction on the candles of now, in time
and in sound probabilities. Only then does it take the old one's place, between two decisions. One that fails anywhere
is refused with an alarm, and the old one trades on. One that reads order books and can answer nothing yet, because a
book of its window was not heard, waits beside the old one until the window is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

from triptych import domain
from triptych.domain.errors import ArtifactError
from triptych.inference.base import AbstractPredictor
from triptych.inference.reference import Reference
from triptych.live.failover import Level
from triptych.live.journal import NoteWritten
from triptych.live.trader import Trader
from triptych.trading.engine import Engine

if TYPE_CHECKING:
    from triptych.inference import Artifact, BookNeed, ConsensusArtifact

CARDS: Final = ("card.json", "consensus.json")


class Config(domain.Config):
    """How artifacts on disk are watched."""

    check_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds between two looks whether an artifact was replaced; SIGHUP looks at once.",
    )


@dataclass(kw_only=True, slots=True)
class _Candidate:
    """A model that was loaded and checked, and has not taken its place.

    Attributes:
        predictor, identity: of it.
        reference: what it said and saw when it was trained.
        reads_books: whether order books must stand beside its candles.
        has_waited: whether it was told that it waits.
    """

    predictor: AbstractPredictor
    identity: str
    reference: Reference
    reads_books: bool
    has_waited: bool = False


def artifact_written(folder: Path) -> tuple[tuple[int, int], ...]:
    """When the cards of an artifact were written, and which files they are: an artifact is put in its place whole."""
    found = []
    for name in CARDS:
        with contextlib.suppress(OSError):
            stat = (folder / name).stat()
            found.append((stat.st_mtime_ns, stat.st_ino))
    return tuple(found)


class Reloader:
    """Watches the artifact of one level.

    Args:
        folder: of the artifact.
        build: makes a predictor of it, as at the start.
        level: whose predictor it is.
        trader: between whose decisions it is replaced.
        timeframe: of the candles.
        known: instruments whose candles the engine observes.
        books: what stands beside the candles; None: nothing.
        note: told in words what a person should know: severity, topic, text, symbol.
    """

    def __init__(
        self,
        *,
        folder: Path,
        build: Callable[[Artifact | ConsensusArtifact], AbstractPredictor],
        level: Level,
        trader: Trader,
        timeframe: str,
        known: Sequence[str],
        note: Callable[[str, str, str, str], None],
        books: BookNeed | None = None,
    ) -> None:
        self._folder, self._build, self._level, self._trader = folder, build, level, trader
        self._timeframe, self._known, self._note = timeframe, frozenset(known), note
        self._books = books
        self._seen = self._look()
        self._candidate: _Candidate | None = None

    async def check(self, *, force: bool = False) -> bool:
        """Look whether the artifact was replaced, and take it if it was. Returns whether another model is on duty.

        Without `force` only an artifact whose card was written since the last look is loaded.
        """
        seen = self._look()
        if seen != self._seen or force:
            self._seen, self._candidate = seen, None
            try:
                self._candidate = await asyncio.to_thread(self._load)
            except ArtifactError as error:
                self._refuse(error)
        one = self._candidate
        if one is None or one.identity == self._level.identity:
            self._candidate = None
            return False
        try:
            missing = await self._shadow(one)
        except ArtifactError as error:
            self._refuse(error)
            return False
        if missing:
            if not one.has_waited:
                one.has_waited = True
                self._tell("info", f"{self._level.name}: the model in its place waits for order books: {missing}")
            return False
        before, self._candidate = self._level.identity, None
        async with self._trader.between_decisions():
            self._level.replace(one.predictor, one.identity, one.reference)
        self._tell("info", f"{self._level.name}: model {one.identity[:12]} has taken the place of {before[:12]}")
        return True

    def _refuse(self, error: ArtifactError) -> None:
        self._candidate = None
        self._tell("critical", f"{self._level.name}: the artifact in its place is refused: {error.message}")

    def _look(self) -> tuple[tuple[int, int], ...]:
        return artifact_written(self._folder)

    def _load(self) -> _Candidate:
        from triptych.inference import fingerprint, open_any_artifact, reference_of  # loads the libraries of networks

        artifact = open_any_artifact(self._folder)
        if artifact.card.timeframe != self._timeframe:
            raise ArtifactError(f"it was trained on {artifact.card.timeframe}, and {self._timeframe} are traded.")
        strangers = [one for one in artifact.companions if one not in self._known]
        if strangers:
            raise ArtifactError(f"it looks at {', '.join(strangers)}, which this session does not watch.")
        if artifact.books is not None:
            self._require_books(artifact.books)
        return _Candidate(
            predictor=self._build(artifact), identity=fingerprint(artifact), reference=reference_of(artifact),
            reads_books=artifact.books is not None,
        )  # fmt: skip

    def _require_books(self, need: BookNeed) -> None:
        """Raise ArtifactError for a model that reads other order books than this session keeps."""
        kept = self._books
        what = f"it reads {need.levels} levels of order book a side"
        if kept is None:
            raise ArtifactError(f"{what}, and this session keeps no order books: stop, and start with it.")
        if need.levels > kept.levels:
            raise ArtifactError(f"{what}, and this session keeps {kept.levels}: stop, and start with it.")
        if need.max_age_ms < kept.max_age_ms:
            raise ArtifactError(
                f"it reads order books of up to {need.max_age_ms} ms, and this session keeps those of up to "
                f"{kept.max_age_ms} ms: stop, and start with it."
            )
        if strange := [one.names[0] for one in need.readers if one not in kept.readers]:
            raise ArtifactError(
                f"it reads {' and '.join(strange)} off order books, which this session does not read in this way: "
                "stop, and start with it."
            )
        if need.companions and not kept.companions:
            raise ArtifactError(
                "it reads the order books of its companions, and this session keeps those of what is traded: stop, and "
                "start with it."
            )

    async def _shadow(self, one: _Candidate) -> str:
        """One prediction for every instrument, from the candles of now, thrown away.

        Returns which order books are missing, where none could be made for that reason alone. Raises ArtifactError.
        """
        engine: Engine = self._trader.books.engine
        predictor = one.predictor
        if predictor.length > engine.memory:
            raise ArtifactError(f"it reads {predictor.length} candles, and this session keeps {engine.memory}.")
        closes, missing = {}, dict[str, str]()
        for symbol in engine.symbols:
            history = engine.history(symbol, predictor.length)
            if history is not None:
                closes[symbol] = int(history.close_time_ms[-1])
                if one.reads_books and (unheard := int(history.unheard.sum())):
                    missing[symbol] = f"{unheard} of {predictor.length} closes of {symbol} have none"
        shadow = Level(f"{self._level.name}-shadow", predictor, deadline_s=self._level.deadline_s)
        try:
            answer = await shadow.ask(shadow.snapshot(engine, closes), closes, within_s=self._level.deadline_s)
        finally:
            shadow.close()
        silent = [symbol for symbol, found in answer.predictions.items() if found is None and symbol not in missing]
        if answer.failure or silent:
            raise ArtifactError(f"its shadow prediction failed: {answer.failure or 'none for ' + ', '.join(silent)}.")
        has_answered = any(found is not None for found in answer.predictions.values())
        return "" if has_answered else "; ".join(missing.values())

    def _tell(self, severity: str, text: str) -> None:
        self._trader.books.write(NoteWritten(topic="reload", text=text))
        self._note(severity, "reload", text, "")


@contextlib.asynccontextmanager
async def watched(reloaders: Sequence[Reloader], config: Config) -> AsyncIterator[Callable[[], None]]:
    """Look at all artifacts again and again; what is yielded makes the next look come at once, and look closely."""
    asked = asyncio.Event()

    async def watch() -> None:
        while True:
            force = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), config.check_seconds)
                asked.clear()
                force = True
            for one in reloaders:
                await one.check(force=force)

    task = asyncio.create_task(watch(), name="reloading")
    try:
        yield asked.set
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
