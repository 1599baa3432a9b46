"""The simulated exchange on real sockets, in the words of Bybit v5."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from triptych.domain import AbstractClock, CandleSeries, SystemClock
from triptych.domain.errors import DataError, ExchangeError, OrderError
from triptych.exchanges.bybit import hosts
from triptych.exchanges.simulated.costs import Config
from triptych.exchanges.simulated.server.answers import Answers, Done
from triptych.exchanges.simulated.server.desk import Desk, Told
from triptych.exchanges.simulated.server.faults import MAINTENANCE, RATE_LIMIT, Faults, RestFault, StreamFaults
from triptych.exchanges.simulated.server.public import PublicMarket
from triptych.exchanges.simulated.server.recording import Recording
from triptych.exchanges.simulated.server.refusal import Refusal
from triptych.exchanges.simulated.server.security import check_request
from triptych.exchanges.simulated.server.sessions import Sessions
from triptych.exchanges.simulated.server.shelf import Change
from triptych.exchanges.simulated.server.tape import Tape


class BybitServer:
    """Serves a tape: history by REST, the present step by step, orders filled by the venue of the backtest.

    Time has two hands. The market's is the tape's, and all of candles, orders and fills carry it. The wire's is the
    machine's clock: signatures, `time` in replies, the span of time for which executions are asked. A step lets the
    next candles close: the venue fills what waits, the private stream is told, then the public one. Between two steps
    the market stands still, so a client that decides on a closed candle before the next step trades exactly as in a
    backtest of the same tape.

    Use it as an asynchronous context manager. Paths under /triptych are for those who run it: POST step, faults, cut,
    freeze, rules, hedge; GET status.

    Args:
        series: the tape, one series per instrument, one timeframe.
        known: how many close times are history at the start.
        costs, capital: of the venue.
        keys: secrets by API key; signatures are checked as by Bybit.
        host, port: where to listen; port 0 takes a free one.
        clock: of the wire.
        recording: messages to tell in place of invented ones; the series are its candles.
        seed: of the faults of the streams.
    """

    def __init__(
        self,
        series: Sequence[CandleSeries],
        *,
        known: int = 1,
        costs: Config | None = None,
        capital: Decimal = Decimal(10_000),
        keys: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: AbstractClock | None = None,
        seed: int = 0,
        recording: Recording | None = None,
    ) -> None:
        costs = costs or Config()
        self.tape = Tape(series, known)
        self.faults = Faults()
        self._clock = clock or SystemClock()
        self.desk = Desk(self.tape.instruments, costs, capital, self.now_ms)
        self.market = PublicMarket(self.tape, costs, recording, held=self.desk.held)
        self.host, self.port = host, port
        self._keys = dict(keys or {"key": "secret"})
        self._answers = Answers(self.market, self.desk, costs)
        self._sessions = Sessions(
            keys=self._keys, faults=self.faults, now_ms=self.now_ms, snapshot=self.market.snapshot, trade=self._trade,
            chance=random.Random(seed),
        )  # fmt: skip
        self._runner: web.AppRunner | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        for candles in self.tape.start():
            self.desk.on_candles(candles)
            self.market.learn(candles)
        self.market.begin()

    @property
    def hosts(self) -> hosts.Config:
        """The addresses for a client of ours."""
        at = f"{self.host}:{self.port}"
        return hosts.Config(
            environment="custom", rest=f"http://{at}", public=f"ws://{at}/v5/public", private=f"ws://{at}/v5/private"
        )

    def now_ms(self) -> int:
        """The wire's clock."""
        return self._clock.now_ms() + self.faults.clock_skew_ms

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v5/{kind:public}/{category}", self._sessions.serve)
        app.router.add_get("/v5/{kind:private|trade}", self._sessions.serve)
        app.router.add_get("/triptych/status", self._status)
        app.router.add_post("/triptych/{act}", self._act)
        app.router.add_route("*", "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ExchangeError(
                f"The simulated exchange cannot listen on {self.host}:{self.port}: {error.strerror}.",
                remedy="Choose another port.",
            ) from error
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sessions.cut()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def step(self, count: int = 1) -> int:
        """Let the next `count` candles close, one after the other. Returns how many there were left to close."""
        for done in range(count):
            if not self.tape.remaining:
                return done
            async with self._lock:
                candles = self.tape.step()
                told = self.desk.on_candles(candles)
                messages = self.market.step(candles)
                await self._tell(told)
                await self._sessions.broadcast("public", messages)
        return count

    async def run(self, seconds_per_candle: float) -> None:
        """Step at a steady pace until the tape ends."""
        while await self.step():
            await asyncio.sleep(seconds_per_candle)

    def change(self, change: Change) -> None:
        """Change rules, status or end of an instrument, as a venue does while it is traded.

        Raises ValueError for an instrument that there is none, and otherwise as `Change.revised`.
        """
        if change.symbol not in self.desk.instruments:
            raise ValueError(f"{change.symbol} is not served")
        after = change.revised(self.desk.instruments[change.symbol])
        self.desk.revise(after)
        self.market.instruments[change.symbol] = after
        self.desk.shelf.change(change)

    async def cut(self) -> None:
        """Close every stream."""
        await self._sessions.cut()

    def freeze(self) -> None:
        """Every present stream stays open and says nothing any more: a half-open connection."""
        self._sessions.freeze()

    async def _tell(self, told: Told) -> None:
        """Say something on the private stream."""
        await self._sessions.broadcast("private", [(topic, self._envelope(topic, row)) for topic, row in told])

    def _envelope(self, topic: str, row: dict[str, Any]) -> dict[str, Any]:
        now = self.tape.now_ms
        return {"id": f"sim-{now}-{topic}", "topic": topic, "creationTime": now, "data": [row]}

    def _tell_soon(self, told: Told) -> None:
        """After the reply has left, as a venue would."""

        async def tell() -> None:
            async with self._lock:
                await self._tell(told)

        task = asyncio.get_running_loop().create_task(tell())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        body = await request.text()
        fault = self.faults.next_for(path)
        if fault is not None and fault.kind == "lose_request":
            return _cut(request)
        if fault is not None and fault.kind == "hang":
            await asyncio.Event().wait()
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind == "http_status":
            return web.Response(status=fault.code or 500, text="denied")
        reply = self._reply(request, path, body, fault)
        if fault is not None and fault.kind == "lose_reply":
            return _cut(request)
        is_limited = reply["retCode"] == RATE_LIMIT
        wait_s = fault.seconds if is_limited and fault is not None else 0.0
        limits = {
            "X-Bapi-Limit": "1000", "X-Bapi-Limit-Status": "0" if is_limited else "999",
            "X-Bapi-Limit-Reset-Timestamp": str(self.now_ms() + round(wait_s * 1000)),
        }  # fmt: skip
        return web.Response(body=orjson.dumps(reply), content_type="application/json", headers=limits)

    def _reply(self, request: web.Request, path: str, body: str, fault: RestFault | None) -> dict[str, Any]:
        done = Done(result={})
        code, text = 0, "OK"
        try:
            if self.faults.maintenance:
                raise Refusal(MAINTENANCE, "Internal server error: maintenance")
            if fault is not None and fault.kind in ("refuse", "rate_limit", "maintenance"):
                codes = {"rate_limit": RATE_LIMIT, "maintenance": MAINTENANCE}
                raise Refusal(codes.get(fault.kind, fault.code), f"fault: {fault.kind}")
            done = self._done(request, path, body, fault)
        except Refusal as refusal:
            code, text = refusal.code, refusal.text
        said = {"retCode": code, "retMsg": text, "result": done.result, "retExtInfo": done.beside}
        return said | {"time": self.now_ms()}

    def _done(self, request: web.Request, path: str, body: str, fault: RestFault | None) -> Done:
        now = self.now_ms()
        if path == "/v5/market/time":
            return Done(result={"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)})
        if not self._answers.knows(request.method, path):
            raise Refusal(10001, f"the simulated exchange does not know {request.method} {path}")
        if request.method == "GET":
            if not self._answers.is_public(path):
                check_request(request.headers, request.rel_url.raw_query_string, self._keys, now)
            return Done(result=self._answers.ask(path, dict(request.query)))
        check_request(request.headers, body, self._keys, now)
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refusal(10001, f"the body is no JSON: {error}") from None
        if not isinstance(asked, dict):
            raise Refusal(10001, "the body is no object")
        if fault is not None and fault.kind == "reject_later":
            self.desk.reject_later += 1
        done = self._answers.command(path, asked)
        if fault is not None and fault.kind == "reject_rest":
            self.desk.reject_rest.add(str(asked.get("orderLinkId")))
        self._tell_soon(done.told)
        return done

    def _trade(self, op: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """An order on the trade stream: the same command as by REST."""
        path = f"/v5/order/{op.removeprefix('order.')}"
        arguments = asked.get("args")
        body = arguments[0] if isinstance(arguments, list) and arguments and isinstance(arguments[0], dict) else {}
        try:
            if not self._answers.knows("POST", path):
                raise Refusal(10404, f"unknown op {op}")
            done = self._answers.command(path, body)
        except Refusal as refusal:
            return {"retCode": refusal.code, "retMsg": refusal.text, "data": {}, "retExtInfo": {}}
        self._tell_soon(done.told)
        return {"retCode": 0, "retMsg": "OK", "data": done.result, "retExtInfo": done.beside}

    async def _status(self, request: web.Request) -> web.Response:
        content = {
            "market_ms": self.tape.now_ms, "remaining": self.tape.remaining, "streams": len(self._sessions.open),
            "orders": len(self.desk.orders), "executions": len(self.desk.executions),
            "equity": str(self.desk.venue.equity),
        }  # fmt: skip
        return web.json_response(content)

    async def _act(self, request: web.Request) -> web.Response:
        """What the one who runs the server may do from outside."""
        text = await request.text()
        try:
            asked = orjson.loads(text) if text else {}
            act = request.match_info["act"]
            if act == "step":
                return web.json_response({"stepped": await self.step(int(asked.get("count", 1)))})
            if act == "cut":
                await self.cut()
            elif act == "freeze":
                self.freeze()
            elif act == "faults":
                self._set_faults(asked)
            elif act == "rules":
                self.change(Change.model_validate(asked))
            elif act == "hedge":
                self.desk.shelf.is_hedged = bool(asked.get("on", True))
            else:
                return web.json_response({"error": f"unknown: {act}"}, status=404)
        except (ValueError, TypeError, ValidationError, ArithmeticError, DataError, OrderError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"done": act})

    def _set_faults(self, asked: Mapping[str, Any]) -> None:
        """Replace all faults by {"rest": [...], "stream": {...}, "clock_skew_ms": n, "maintenance": true}."""
        rest = TypeAdapter(list[RestFault]).validate_python(asked.get("rest", []))
        stream = StreamFaults.model_validate(asked.get("stream", {}))
        self.faults.clear()
        for fault in rest:
            self.faults.add(fault)
        self.faults.stream = stream
        self.faults.clock_skew_ms = int(asked.get("clock_skew_ms", 0))
        self.faults.maintenance = bool(asked.get("maintenance", False))


def _cut(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
