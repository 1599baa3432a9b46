"""Closing everything, after a kill: until the venue itself says that it holds nothing.

What is closed is what the venue holds in the instruments of the session, whoever has traded it; where the venue cannot
be asked, what our fills make. Every close is reduce-only, so that one too many turns no position around. One look and
one round of orders are an attempt; whoever calls repeats attempts until there is nothing left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeVar

from triptych.domain import AbstractClock, CancelOrder, Command, OrderReport, SubmitOrder
from triptych.domain.errors import AuthenticationRefused, Banned, ExchangeError, RateLimited
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.books import Books
from triptych.live.sender import Sender

SHORTEST_WAIT_S: Final = 1.0
TOO_LARGE: Final = ("exceeds maximum", "too large", "quantity exceeded", "above the largest order")
"""How a venue says that an order asks for too much; it may have lowered its limit since the session began."""
LONG_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 30.0
"""Between attempts: the first time; later; while the venue says that we ask too often."""
ANSWER_S: Final = 3.0
"""How long an attempt waits for one answer: a connection that is dead without anybody knowing takes no longer."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """What an attempt to close everything came to.

    Attributes:
        closed: whether the venue has said that nothing is held, and no order of ours can open anything any more.
        is_holding: whether something is held as far as anybody knows.
        pending: what is not closed yet, in words, an instrument each.
        problems: what went wrong, in words.
        commands: what was sent.
    """

    closed: bool = False
    is_holding: bool = True
    pending: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; of the commands only the ids."""
        return {
            "closed": self.closed, "pending": list(self.pending), "problems": list(self.problems),
            "orders": [one.order_id for one in self.commands],
        }  # fmt: skip


@dataclass(slots=True)
class Closer:
    """Closes what the venue holds.

    Attributes:
        carry_out: gates, writes and sends commands; returns those that were sent.
        wait_s: how long to wait before the next attempt.
        answer_s: how long an attempt waits for one answer.
        shut_out: why the venue will answer no more at all, to key or account; None while it may.
        due: set while everything is to be closed.
        last: what the last attempt since a kill came to; None before the first.
    """

    symbols: Sequence[str]
    books: Books
    gateway: AbstractGateway
    sender: Sender
    clock: AbstractClock
    carry_out: Callable[[Sequence[Command]], Awaitable[tuple[Command, ...]]]
    wait_s: float = SHORTEST_WAIT_S
    answer_s: float = ANSWER_S
    shut_out: ExchangeError | None = None
    due: asyncio.Event = field(default_factory=asyncio.Event)
    last: Closure | None = None
    _is_limited: bool = False

    def begin(self) -> None:
        """A new kill: the next attempt is its first."""
        self.due.set()
        self.wait_s = SHORTEST_WAIT_S

    @property
    def comes_first(self) -> bool:
        """Whether closing comes before anything else: something is held still, or nobody has looked yet."""
        return self.due.is_set() and (self.last is None or self.last.is_holding)

    async def attempt(self, reason: str) -> Closure:
        """Ask, send, and ask again. Raises LeaseError when the right to write is lost; never for what the wire does."""
        problems: list[str] = []
        self._is_limited = False
        held = await self._held(problems)
        opened = None if self._is_limited else await self._opened(problems)
        sent: tuple[Command, ...] = ()
        if not self._is_limited:
            commands = self._commands(reason, held, opened)
            if commands:
                sent = await self._sent(commands)
            problems += self._refusals(sent)
            self._learn(sent)
            if held is not None and any(isinstance(one, SubmitOrder) for one in sent):
                held = await self._held(problems)
        if not self.books.has_journal:
            where = "in memory" if self.books.switch.beside is None else "in a file beside it"
            problems.append(f"the journal cannot be written; the switch is kept {where} until it can")
        pending = self._pending(held)
        self.wait_s = min(2 * self.wait_s, LONGEST_WAIT_S if self._is_limited else LONG_WAIT_S)
        self.last = Closure(
            closed=held is not None and not pending,
            is_holding=held is None or any(held.get(symbol) for symbol in self.symbols),
            pending=tuple(pending), problems=tuple(dict.fromkeys(problems)), commands=sent,
        )  # fmt: skip
        return self.last

    def _commands(
        self, reason: str, held: dict[str, Decimal] | None, opened: Sequence[OrderReport] | None
    ) -> list[Command]:
        """Closes of what is held, and withdrawals of whatever of ours could still open something."""
        engine, now, unsure = self.books.engine, self.clock.now_ms(), self.books.unsure
        if opened is None:  # what was accepted and has not ended is taken to be there
            closing = {one.symbol for one in self.books.under_way if one.reduce_only and one.order_id not in unsure}
            return engine.flatten(now, reason, held=held, closing=closing)
        ours = {one.order_id: one for one in opened if one.order_id and engine.has_sent(one.order_id, one.symbol)}
        closes = {one.order_id for one in self.books.under_way if one.reduce_only}
        closing = {one.symbol for one in ours.values() if one.reduce_only or one.order_id in closes}
        commands = [
            command
            for command in engine.flatten(now, reason, held=held, closing=closing)
            if not isinstance(command, CancelOrder) or command.order_id in ours or command.order_id in unsure
        ]
        known = {command.order_id for command in commands} | {one.order_id for one in ours.values() if one.reduce_only}
        return [
            *(
                CancelOrder(order_id=one.order_id, symbol=one.symbol, time_ms=now)
                for one in ours.values()
                if one.order_id not in known
            ),
            *commands,
        ]

    async def _sent(self, commands: Sequence[Command]) -> tuple[Command, ...]:
        """Send; an order without an answer in time is unknown, and the next attempt sees what became of it."""
        text = f"no answer within {self.answer_s:g} s"
        cutting = asyncio.get_running_loop().call_later(self.answer_s, self.sender.cut, text)
        try:
            return await self.carry_out(commands)
        finally:
            cutting.cancel()

    async def _held(self, problems: list[str]) -> dict[str, Decimal] | None:
        """Signed quantities as the venue says them; None when it cannot be asked."""
        try:
            reports = await self._in_time(self.gateway.positions(self.symbols))
        except ExchangeError as error:
            self._failed("positions", error, problems)
            return None
        return {symbol: report.quantity for symbol, report in reports.items()}

    async def _opened(self, problems: list[str]) -> Sequence[OrderReport] | None:
        try:
            return await self._in_time(self.gateway.open_orders(self.symbols))
        except ExchangeError as error:
            self._failed("open orders", error, problems)
            return None

    async def _in_time(self, question: Awaitable[T]) -> T:
        """The answer to a question. Raises ExchangeError when it does not come in time, or what the question raises."""
        try:
            async with asyncio.timeout(self.answer_s):
                return await question
        except TimeoutError:
            raise ExchangeError(f"no answer within {self.answer_s:g} s") from None

    def _failed(self, what: str, error: ExchangeError, problems: list[str]) -> None:
        self._is_limited |= isinstance(error, RateLimited | Banned | AuthenticationRefused)
        if isinstance(error, Banned | AuthenticationRefused):
            self.shut_out = error
        problems.append(f"the venue cannot be asked for {what}: {error.message}")

    def _refusals(self, sent: Sequence[Command]) -> list[str]:
        found = []
        for symbol in dict.fromkeys(one.symbol for one in sent if isinstance(one, SubmitOrder)):
            answer = self.sender.answers.get(symbol)
            if answer is not None and answer.outcome != "accepted":
                words = "was refused" if answer.outcome == "rejected" else "got no answer"
                found.append(f"{symbol}: the closing order {words}: {answer.text}")
        return found

    def _learn(self, sent: Sequence[Command]) -> None:
        """Where an order was refused for its size the next ones ask for half of it."""
        largest: dict[str, Decimal] = {}
        for one in sent:
            if isinstance(one, SubmitOrder):
                largest[one.symbol] = max(one.quantity, largest.get(one.symbol, one.quantity))
        for symbol, quantity in largest.items():
            answer = self.sender.answers.get(symbol)
            if answer is None or answer.outcome != "rejected":
                continue
            if any(words in answer.text.lower() for words in TOO_LARGE):
                self.books.engine.cap_orders(symbol, quantity / 2)

    def _pending(self, held: dict[str, Decimal] | None) -> list[str]:
        pending = []
        for symbol in self.symbols:
            ours = self.books.engine.portfolio.position(symbol).quantity
            entries = [one.order_id for one in self.books.under_way if one.symbol == symbol and not one.reduce_only]
            if held is None:
                pending += [f"{symbol}: {ours} by our fills; the venue has not said"] if ours else []
            elif held.get(symbol):
                pending.append(f"{symbol}: the venue holds {held[symbol]}")
            if entries:
                pending.append(f"{symbol}: {', '.join(entries)} may still open something")
        return pending
