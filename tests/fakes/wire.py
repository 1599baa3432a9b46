"""A wire that loses, doubles and reorders, and a process that dies: between the trader and the simulated gateway."""

import random

from triptych.exchanges.gateway import AbstractGateway, Answer


class Crash(BaseException):
    """The process ends here, as if killed: no handler of the code under test may catch it."""


class Wire(AbstractGateway):
    """Passes everything on to `inner`, with faults of the given probabilities, decided by `seed`.

    Attributes:
        lost_requests, lost_replies: probabilities that a command does not arrive, or its answer does not.
        crash: probability that the process dies before or after any call.
    """

    def __init__(self, inner, *, seed=0, lost_requests=0.0, lost_replies=0.0, crash=0.0, unreachable=0.0):
        self.inner, self.venue, self.validity_ms = inner, inner.venue, inner.validity_ms
        self.random = random.Random(seed)
        self.lost_requests, self.lost_replies = lost_requests, lost_replies
        self.crash, self.unreachable = crash, unreachable
        self.submitted = []

    def may_crash(self):
        if self.random.random() < self.crash:
            raise Crash

    async def _command(self, call, **kwargs):
        self.may_crash()
        if self.random.random() < self.lost_requests:
            return Answer(outcome="unknown", text="the request was lost")
        answer = await call(**kwargs)
        self.may_crash()
        if self.random.random() < self.lost_replies:
            return Answer(outcome="unknown", text="the reply was lost")
        return answer

    async def _question(self, call, *args):
        from triptych.domain.errors import ExchangeError

        self.may_crash()
        if self.random.random() < self.unreachable:
            raise ExchangeError("the venue cannot be reached")
        return await call(*args)

    async def submit(self, order, *, signed_ms):
        self.submitted.append(order)
        return await self._command(self.inner.submit, order=order, signed_ms=signed_ms)

    async def cancel(self, command, *, signed_ms):
        return await self._command(self.inner.cancel, command=command, signed_ms=signed_ms)

    async def protect(self, symbol, **wanted):
        return await self._command(self.inner.protect, symbol=symbol, **wanted)

    async def find_order(self, order_id, symbol):
        return await self._question(self.inner.find_order, order_id, symbol)

    async def open_orders(self, symbols):
        return await self._question(self.inner.open_orders, symbols)

    async def executions(self, symbols, since_ms):
        return await self._question(self.inner.executions, symbols, since_ms)

    async def positions(self, symbols):
        return await self._question(self.inner.positions, symbols)

    async def wallet(self):
        return await self._question(self.inner.wallet)

    async def time_ms(self):
        return await self._question(self.inner.time_ms)

    def stream(self):
        return self.inner.stream()

    def pending(self, *, lost=0.0, doubled=0.0, shuffled=False):
        """Messages that wait on the stream, with faults."""
        messages = [one for one in self.inner.pending() if self.random.random() >= lost]
        messages += [one for one in messages if self.random.random() < doubled]
        if shuffled:
            self.random.shuffle(messages)
        return messages
