"""One level of the ladder: a model, its deadline, and whether it can be trusted at the moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from triptych.domain import Prediction
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.reference import NO_REFERENCE, Reference
from triptych.live.failover.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of asking: predictions by symbol, or why they cannot be used. `seconds` is how long it took.

    `was_asked` is False where no time was left to ask; `is_late` is whether the time that was left ran out.
    """

    predictions: Mapping[str, Prediction | None]
    failure: str
    seconds: float
    was_asked: bool = True
    is_late: bool = False


@dataclass(slots=True)
class Duty:
    """How the model of a level has done of late; another model begins anew.

    Attributes:
        failures: in a row, on duty.
        is_off: whether it is off duty.
        waited: decisions since its last trial.
        sound: trials in a row with a sound answer.
    """

    failures: int = 0
    is_off: bool = False
    waited: int = 0
    sound: int = 0


class Level:
    """A predictor in a thread of its own.

    A thread cannot be stopped: a call that has missed its deadline runs on, and until it ends the level is busy and is
    not asked again. What it says then is thrown away. Another model in its place does not wait for it: it gets a thread
    of its own.

    Attributes:
        name: for notes and metrics.
        predictor: what is asked.
        deadline_s: how long it may think about one decision.
        identity: fingerprint of the model; empty where it has none.
        reference: of the model: what it said and saw when it was trained.
        is_instant: whether it answers in no time to speak of, as a rule does: a part of the deadline is kept for it.
        duty: how the model has done.
    """

    def __init__(
        self,
        name: str,
        predictor: AbstractPredictor,
        *,
        deadline_s: float,
        identity: str = "",
        reference: Reference = NO_REFERENCE,
        is_instant: bool = False,
    ) -> None:
        self.name, self.predictor, self.deadline_s, self.identity = name, predictor, deadline_s, identity
        self.reference, self.is_instant = reference, is_instant
        self.duty = Duty()
        self._worker = self._thread()
        self._running: Future[dict[str, Prediction | None]] | None = None

    @property
    def model(self) -> str:
        """What tells its model from others: two levels may have the same one, such as a GPU's and a CPU's."""
        return self.identity or self.name

    @property
    def is_busy(self) -> bool:
        """Whether an earlier call still runs."""
        return self._running is not None and not self._running.done()

    def snapshot(self, view: AbstractView, closes: Mapping[str, int]) -> Snapshot:
        """What this level reads for predictions of these symbols, copied from `view` now."""
        symbols = (*closes, *self.predictor.companions)
        return Snapshot(view, self.predictor.length, symbols, self.predictor.look_back)

    async def ask(self, snapshot: Snapshot, closes: Mapping[str, int], *, within_s: float) -> Answer:
        """Ask for predictions, in one call of the network, and wait at most `within_s` and the level's own deadline.

        Never raises for what the model does: every failure is an `Answer` that says what failed.
        """
        started = time.monotonic()
        if self.is_busy:
            return Answer(predictions={}, failure="still busy with an earlier decision", seconds=0.0)
        limit = min(within_s, self.deadline_s)
        if limit <= 0:
            return Answer(predictions={}, failure="no time was left for it", seconds=0.0, was_asked=False)
        running = self._running = self._worker.submit(self.predictor.predict_all, snapshot, dict(closes))
        try:
            # Shielded: a cancelled wait must not be taken for a finished call. No `wait_for`: before Python 3.12 it
            # loses a cancellation that comes together with the answer.
            async with asyncio.timeout(limit):
                found = await asyncio.shield(asyncio.wrap_future(running))
        except TimeoutError:
            failure = f"missed its deadline of {limit:.3g} s"
            return Answer(predictions={}, failure=failure, seconds=time.monotonic() - started, is_late=True)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not running.cancelled() or (task is not None and task.cancelling()):
                raise
            return Answer(predictions={}, failure="let go before it was asked", seconds=0.0, was_asked=False)
        except Exception as error:  # a model may fail in any way: out of memory, a lost device, a bug
            said = " ".join(str(error).split())[:200]
            return Answer(predictions={}, failure=f"{type(error).__name__}: {said}", seconds=time.monotonic() - started)
        seconds = time.monotonic() - started
        bad = [symbol for symbol, one in found.items() if one is not None and not _is_sound(one)]
        if bad:
            return Answer(predictions={}, failure=f"no probabilities for {', '.join(bad)}", seconds=seconds)
        return Answer(predictions=found, failure="", seconds=seconds)

    def replace(self, predictor: AbstractPredictor, identity: str = "", reference: Reference = NO_REFERENCE) -> None:
        """Ask another model from the next decision on: it is on duty, and nothing that the one before did or still does
        is held against it.
        """
        self.predictor, self.identity, self.reference = predictor, identity, reference
        self.duty = Duty()
        if self.is_busy:
            self._worker.shutdown(wait=False)  # a call that has not begun yet is still waited for
            self._worker, self._running = self._thread(), None

    def close(self) -> None:
        """Let go of the thread, without waiting for a call that hangs."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"level-{self.name}")


def _is_sound(prediction: Prediction) -> bool:
    """Finite, between 0 and 1, summing to 1 within what single precision may lose."""
    p = (prediction.probability_sell, prediction.probability_hold, prediction.probability_buy)
    return prediction.is_usable and all(0.0 <= x <= 1.0 for x in p) and abs(sum(p) - 1.0) < 1e-3
