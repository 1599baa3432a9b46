"""The REST client: signs, waits its turn, asks again where that is harmless, and says what it does not know."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from pydantic import Field

from triptych import domain
from triptych.domain.errors import (
    AuthenticationRefused,
    Banned,
    ClockRefused,
    ExchangeError,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
)
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.envelopes import Reply, read_reply, venue_time_ms
from triptych.exchanges.bybit.fields import decode
from triptych.exchanges.bybit.limits import Limiter
from triptych.exchanges.bybit.signing import request_headers
from triptych.exchanges.bybit.transport import AbstractTransport, HttpReply, TransportError
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.timing import AbstractTimer, BackOff

_ASK: Final = "Ask the venue what became of it before anything is sent again."
LONG_WAIT_S: Final = 5.0
"""A wait that the venue asks for is a lock-out from here on: every request waits, and the next process too."""
ADDRESS_BANNED: Final = 10009


class Config(domain.Config):
    """Patience of the REST client."""

    timeout_s: float = Field(default=10, gt=0, le=120, description="Seconds to wait for a reply.")
    receive_window_ms: int = Field(
        default=5000,
        ge=500,
        le=60_000,
        description="How long after it was signed the venue may still accept a request, milliseconds.",
    )
    read_attempts: int = Field(default=5, ge=1, le=20, description="How often a question is asked before giving up.")
    order_attempts: int = Field(
        default=3,
        ge=1,
        le=10,
        description="How often an order is sent, under the same id, when it surely did not arrive or was refused for "
        "being too fast.",
    )
    back_off_s: float = Field(default=0.5, gt=0, le=60, description="Seconds before the second attempt; then doubled.")
    longest_back_off_s: float = Field(default=20, gt=0, le=600, description="Longest wait between attempts, seconds.")


class RestClient:
    """Requests to one host under one key (or none).

    Questions are asked again after a lost reply, a server error or a rate limit. What changes something is sent again
    only where the venue surely has not taken it; a reply that is lost is `OutcomeUnknown`.
    """

    def __init__(
        self,
        host: str,
        *,
        transport: AbstractTransport,
        timer: AbstractTimer,
        clock: VenueClock,
        limiter: Limiter,
        credentials: Credentials | None = None,
        config: Config | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.clock = clock
        self.config = config or Config()
        self._host = host.rstrip("/")
        self._transport = transport
        self._timer = timer
        self._limiter = limiter
        self._credentials = credentials
        self._back_off = BackOff(
            first_s=self.config.back_off_s,
            longest_s=self.config.longest_back_off_s,
            chance=chance or random.Random(),
        )

    def __repr__(self) -> str:
        return f"RestClient({self._host!r}, {self._credentials!r})"

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None, *, signed: bool = False) -> Reply:
        """Ask a question; parameters that are None are left out.

        Raises the error of the return code, or ExchangeError when no answer came after all attempts.
        """
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        query = urlencode(given, quote_via=quote)
        failures = 0
        while True:
            try:
                return await self._once("GET", path, query=query, signed=signed)
            except ClockRefused:
                failures += 1
                if failures >= min(3, self.config.read_attempts):
                    raise  # the refusal told the venue's time, so one more attempt would have mended it
            except RateLimited as error:
                failures += 1
                if failures >= self.config.read_attempts or self._limiter.halted_for_s > 0:
                    raise
                await self._timer.sleep(max(error.retry_after_ms / 1000, self._back_off.wait_s(failures)))
            except OutcomeUnknown as error:
                failures += 1
                if failures >= self.config.read_attempts:
                    raise ExchangeError(
                        f"GET {path} had no answer after {failures} attempts: {error.message}",
                        remedy="Check the network and the venue's status page.",
                        code=error.code,
                    ) from error
                await self._timer.sleep(self._back_off.wait_s(failures))

    async def post(
        self, path: str, body: Mapping[str, Any], *, signed_ms: int | None = None, attempts: int = 1
    ) -> Reply:
        """Change something. Every attempt sends the same body, and the same id in it.

        Args:
            path, body: of the request; values that are None are left out.
            signed_ms: time of our own clock that the signature carries; None: now, anew for each attempt.
            attempts: how often to send what surely did not arrive.

        Raises OutcomeUnknown when nobody can tell whether it was carried out, else the error of the return code;
        RateLimited also where its turn would come after the signature has lost its worth: it was not sent then.
        """
        text = orjson.dumps({name: value for name, value in body.items() if value is not None}).decode()
        failures = 0
        while True:
            try:
                return await self._once("POST", path, body=text, signed=True, signed_ms=signed_ms)
            except RateLimited as error:
                failures += 1
                wait_s = max(error.retry_after_ms / 1000, self._back_off.wait_s(failures))
                if failures >= attempts or self._limiter.halted_for_s > 0 or wait_s > self._valid_for_s(signed_ms):
                    raise
                await self._timer.sleep(wait_s)
            except _NotSent:
                failures += 1
                if failures >= attempts:
                    raise
                await self._timer.sleep(self._back_off.wait_s(failures))
            except ProtocolError as error:
                raise OutcomeUnknown(f"POST {path}: {error.message}", remedy=_ASK) from error

    async def _once(
        self, method: str, path: str, *, query: str = "", body: str = "", signed: bool, signed_ms: int | None = None
    ) -> Reply:
        request = f"{method} {path}"
        await self._limiter.acquire(path, within_s=self._valid_for_s(signed_ms))
        headers = {"Content-Type": "application/json"} if body else {}
        if signed:
            if self._credentials is None:
                raise AuthenticationRefused(f"{request} needs an API key.", remedy="Give one; see `Credentials`.")
            own_ms = self.clock.own_ms() if signed_ms is None else signed_ms
            headers |= request_headers(
                self._credentials,
                time_ms=self.clock.at_venue(own_ms),
                window_ms=self.config.receive_window_ms,
                payload=query or body,
            )
        url = f"{self._host}{path}" + (f"?{query}" if query else "")
        sent_ms = self.clock.own_ms()
        try:
            reply = await self._transport.send(method, url, headers=headers, body=body, timeout_s=self.config.timeout_s)
        except TransportError as error:
            kind = OutcomeUnknown if error.was_sent else _NotSent
            raise kind(f"{request}: {error}.", remedy=_ASK) from error
        try:
            return self._opened(request, path, reply, sent_ms)
        except ExchangeError as error:  # the venue quotes what was signed when it does not like the signature
            if self._credentials is not None:
                error.message = self._credentials.mask(error.message)
                error.args = (error.message,)
            raise

    def _valid_for_s(self, signed_ms: int | None) -> float:
        """Seconds for which what bears this time of our clock is worth sending; None: it is signed when it leaves."""
        if signed_ms is None:
            return math.inf
        return (signed_ms + self.config.receive_window_ms - self.clock.own_ms()) / 1000

    def _opened(self, request: str, path: str, reply: HttpReply, sent_ms: int) -> Reply:
        """The reply without its envelope; its clock and its limits are heeded whatever it says."""
        received_ms = self.clock.own_ms()
        self._limiter.heed(path, reply.headers, self.clock.now_ms())
        if reply.status == 403:
            self._limiter.halt()
            raise RateLimited(
                f"{request} was answered with HTTP 403: this address is locked out.",
                remedy="Nothing is sent for 10 minutes. Check also whether the venue serves your country.",
                code=403,
                retry_after_ms=round(self._limiter.halted_for_s * 1000),
            )
        if reply.status == 401:
            raise AuthenticationRefused(f"{request} was answered with HTTP 401.", remedy="Check the API key.", code=401)
        if reply.status >= 500:
            raise OutcomeUnknown(f"{request} was answered with HTTP {reply.status}.", remedy=_ASK, code=reply.status)
        if reply.status == 429:
            wait_s = self._limiter.told_wait_s(reply.headers, self.clock.now_ms())
            if wait_s > LONG_WAIT_S:  # no moment's haste, but a lock-out
                self._limiter.halt(wait_s)
            wait_ms = max(1000, round(wait_s * 1000))
            raise RateLimited(
                f"{request} was answered with HTTP 429.", remedy="Wait.", code=429, retry_after_ms=wait_ms
            )
        content = decode(reply.body, f"{request} (HTTP {reply.status})")
        venue_ms = venue_time_ms(content)
        if content.get("retCode") == 10002:
            self.clock.forget()
        if venue_ms is not None:
            self.clock.observe(sent_ms=sent_ms, received_ms=received_ms, venue_ms=venue_ms)
        try:
            return read_reply(content, request)
        except RateLimited as error:  # whatever the header says is left: the venue says that it was too much
            wait_s = self._limiter.told_wait_s(reply.headers, self.clock.now_ms())
            self._limiter.block(path, wait_s)
            error.retry_after_ms = max(error.retry_after_ms, round(wait_s * 1000))
            raise
        except Banned as error:
            if error.code == ADDRESS_BANNED:
                self._limiter.halt()
            raise


class _NotSent(OutcomeUnknown):
    """The connection could not be made: the request never left, so it may be sent again."""
