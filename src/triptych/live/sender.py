"""Sends commands that the journal holds, and lives with not knowing what became of them.

A command may leave only within `within_seconds` of the decision that was written down, signed with the time at which it
leaves; the venue refuses it `validity_ms` after that. So there is a moment after which an order that the venue does not
know can never appear any more, even if this process was stopped in the middle and another has taken over: the time of
the decision plus both. Until then an order without an answer is unknown, and nothing is decided in its instrument.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import Field

from triptych import domain
from triptych.domain import AbstractClock, CancelOrder, Command, MoveStop, OrderRejected, SubmitOrder
from triptych.exchanges.gateway import AbstractGateway, Answer
from triptych.live.books import Books
from triptych.live.journal import OrderAnswered
from triptych.live.monitoring import Metrics

_NAMES: Final[dict[type[Command], Literal["submit", "cancel", "move"]]] = {
    SubmitOrder: "submit",
    CancelOrder: "cancel",
    MoveStop: "move",
}
MARGIN_MS = 1_000
"""What clocks may differ after their offset was taken into account, and a venue may take to show an order."""


class Config(domain.Config):
    """How late a command may leave."""

    within_seconds: float = Field(
        default=2.0,
        ge=0.1,
        le=60,
        description=(
            "Seconds after its decision in which a command may still leave. An order whose answer is lost stays in "
            "doubt for this, the request's validity (rest.receive_window_ms) and one second at most."
        ),
    )


@dataclass(kw_only=True, slots=True)
class Sender:
    """Sends in the order of decision within an instrument, and all instruments at once.

    Whoever must not wait for answers cuts the sending short: an order on the wire is unknown then, as if its answer had
    been lost; one that has not left does not leave any more.

    Attributes:
        config: how late a command may leave.
        answers: the venue's last answer to an order, by instrument.
        note: told in words what a person should know: severity, topic, text, symbol.
        doubt_rules: called when an order was refused in a way that may mean that the venue's rules have changed.
    """

    gateway: AbstractGateway
    books: Books
    clock: AbstractClock
    metrics: Metrics
    note: Callable[[str, str, str, str], None]
    config: Config = field(default_factory=Config)
    answers: dict[str, Answer] = field(default_factory=dict)
    doubt_rules: Callable[[], None] = lambda: None
    _certain_ms: dict[str, int] = field(default_factory=dict)
    _cuts: int = 0
    _why: str = ""
    _on_the_wire: set[asyncio.Task[Answer]] = field(default_factory=set)

    @property
    def _window_ms(self) -> int:
        """From a decision to the moment from which on nothing that was signed for it can be accepted."""
        return self._within_ms + self.gateway.validity_ms + MARGIN_MS

    @property
    def _within_ms(self) -> int:
        return int(self.config.within_seconds * 1000)

    def doubt_ms(self, order: SubmitOrder) -> int:
        """For how long yet an order that the venue does not know may appear there; 0 once it never can.

        Measured by a clock that nobody sets. Of an order of an earlier process only the time of day of its decision is
        known; it is waited for no longer than one of our own.
        """
        now = self.clock.steady_ms()
        if order.order_id not in self._certain_ms:
            gone = self.clock.now_ms() - self.books.sent_ms(order)
            self._certain_ms[order.order_id] = now + self._window_ms - min(max(gone, 0), self._window_ms)
        return max(0, self._certain_ms[order.order_id] - now)

    async def send(self, commands: Iterable[Command], decided_ms: int) -> bool:
        """Send what was decided and written at `decided_ms` (our clock, UTC ms).

        Returns whether every answer came. Never raises for what the wire does.
        """
        by_symbol: dict[str, list[Command]] = {}
        under_way = {order.order_id for order in self.books.under_way}
        self._certain_ms = {name: when for name, when in self._certain_ms.items() if name in under_way}
        certain = self.clock.steady_ms() + self._window_ms
        for command in commands:
            if isinstance(command, SubmitOrder):
                self._certain_ms[command.order_id] = certain
            by_symbol.setdefault(command.symbol, []).append(command)
        cuts = self._cuts
        return all(await asyncio.gather(*(self._in_turn(one, decided_ms, cuts) for one in by_symbol.values())))

    def cut(self, why: str) -> None:
        """Wait for no answer any more of what is being sent now; `why` is told in the answer's place."""
        self._cuts, self._why = self._cuts + 1, why
        for task in self._on_the_wire:
            task.cancel()

    async def _in_turn(self, commands: list[Command], decided_ms: int, cuts: int) -> bool:
        return all([await self._one(command, decided_ms, cuts) for command in commands])

    async def _one(self, command: Command, decided_ms: int, cuts: int) -> bool:
        started = time.monotonic()
        signed_ms = self.clock.now_ms()
        if cuts != self._cuts:
            answer = Answer(outcome="rejected", text=f"not sent: {self._why}")
        elif signed_ms > decided_ms + self._within_ms:
            answer = Answer(outcome="rejected", text=f"too late to send: {(signed_ms - decided_ms) / 1000:.1f} s")
        else:
            answer = await self._answer(command, signed_ms, cuts)
        self.metrics.order_answer.labels(venue=self.gateway.venue).observe(time.monotonic() - started)
        self._take(command, answer)
        return answer.outcome != "unknown"

    async def _answer(self, command: Command, signed_ms: int, cuts: int) -> Answer:
        """What the venue says, unless the wait for it is cut short."""
        task = asyncio.create_task(self._post(command, signed_ms))
        self._on_the_wire.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if cuts == self._cuts or (asking is not None and asking.cancelling()):
                raise  # the whole process ends
            return Answer(outcome="unknown", text=f"cut short: {self._why}")
        finally:
            self._on_the_wire.discard(task)

    async def _post(self, command: Command, signed_ms: int) -> Answer:
        if isinstance(command, SubmitOrder):
            self.metrics.orders_sent.labels(symbol=command.symbol).inc()
            return await self.gateway.submit(command, signed_ms=signed_ms)
        if isinstance(command, MoveStop):
            _, target = self.books.stops.get(command.symbol, (None, None))
            if target is not None:  # the venue's grid may have become another since the entry
                target = self.books.engine.instrument(command.symbol).round_price(target) or target
            return await self.gateway.protect(
                command.symbol, stop_loss=command.stop_loss, take_profit=target, signed_ms=signed_ms
            )
        return await self.gateway.cancel(command, signed_ms=signed_ms)

    def _take(self, command: Command, answer: Answer) -> None:
        self.books.write(
            OrderAnswered(
                order_id=command.order_id, symbol=command.symbol, command=_NAMES[type(command)],
                outcome=answer.outcome, venue_id=answer.venue_id, text=answer.text,
            )
        )  # fmt: skip
        if answer.doubts_rules and not isinstance(command, CancelOrder):
            self.doubt_rules()
        if isinstance(command, CancelOrder):
            return  # what became of the order is told by its report
        if isinstance(command, SubmitOrder):
            self.answers[command.symbol] = answer
        if isinstance(command, MoveStop):
            if answer.outcome != "accepted":  # the engine asks again at the next close
                self.books.engine.on_event(
                    OrderRejected(
                        order_id=command.order_id, symbol=command.symbol, time_ms=command.time_ms, reason=answer.text
                    )
                )
                self.note("warning", "stop", f"the stop was not moved: {answer.text}", command.symbol)
            return
        if answer.outcome == "rejected":
            self.metrics.orders_rejected.labels(symbol=command.symbol).inc()
            self.books.end(command.order_id, self.clock.now_ms(), answer.text)
            self.note("warning", "rejected", f"order {command.order_id} was refused: {answer.text}", command.symbol)
        elif answer.outcome == "unknown":
            self.books.unsure.add(command.order_id)
            self.note(
                "warning", "unknown", f"nobody knows whether order {command.order_id} lives: {answer.text}",
                command.symbol,
            )  # fmt: skip
