"""Bybit as a venue behind a wire: what live trading commands, asks and hears."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import Field

from triptych import domain
from triptych.domain import (
    CancelOrder,
    FundingPaid,
    OrderFilled,
    OrderReport,
    PositionReport,
    StreamState,
    SubmitOrder,
    WalletReport,
)
from triptych.domain.errors import DuplicateOrderId, ExchangeError, OrderNotFound, OutcomeUnknown, ProtocolError
from triptych.exchanges.bybit import account_messages as messages
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.envelopes import Data
from triptych.exchanges.bybit.fields import Fields
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.market_client import MarketClient
from triptych.exchanges.bybit.orders import TriggerBy, cancel_body, create_body, protect_body
from triptych.exchanges.bybit.rest import RestClient
from triptych.exchanges.bybit.socket import AbstractConnector
from triptych.exchanges.bybit.stream import Config as StreamConfig
from triptych.exchanges.bybit.stream import Stream
from triptych.exchanges.bybit.words import VENUE, Category
from triptych.exchanges.gateway import AbstractGateway, Answer, PrivateMessage
from triptych.exchanges.timing import AbstractTimer

PRIVATE_TOPICS: Final = ("order", "execution", "position", "wallet")
_WINDOW_MS: Final = 7 * 86_400_000
"""The longest span of executions that one question may cover."""
_MOST_PAGES: Final = 1000


class Config(domain.Config):
    """What is traded, and how stops are watched."""

    category: Category = Field(default="linear", description="Shelf of the venue: linear, inverse, spot or option.")
    currency: str = Field(default="USDT", description="Coin of the wallet in which the account is counted.")
    trigger_by: TriggerBy = Field(
        default="LastPrice", description="The price that triggers stop and target: LastPrice, MarkPrice or IndexPrice."
    )


class BybitGateway(AbstractGateway):
    """One account on Bybit, unified, one-way positions."""

    def __init__(
        self,
        rest: RestClient,
        hosts: HostConfig,
        credentials: Credentials,
        *,
        connector: AbstractConnector,
        timer: AbstractTimer,
        config: Config | None = None,
        stream_config: StreamConfig | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.config = config or Config()
        self.venue = VENUE
        self.validity_ms = rest.config.receive_window_ms
        self.market = MarketClient(rest, self.config.category)
        self._rest = rest
        self.private: Stream[messages.AccountMessage] = Stream(
            hosts.private_url, PRIVATE_TOPICS, parse=self._parse, connector=connector, timer=timer, clock=rest.clock,
            credentials=credentials, config=stream_config, chance=chance,
        )  # fmt: skip

    async def submit(self, order: SubmitOrder, *, signed_ms: int) -> Answer:
        body = create_body(order, self.config.category, trigger_by=self.config.trigger_by)
        return await self._command("/v5/order/create", body, signed_ms)

    async def cancel(self, command: CancelOrder, *, signed_ms: int) -> Answer:
        return await self._command("/v5/order/cancel", cancel_body(command, self.config.category), signed_ms)

    async def protect(
        self, symbol: str, *, stop_loss: Decimal | None, take_profit: Decimal | None, signed_ms: int | None = None
    ) -> Answer:
        body = protect_body(
            symbol, self.config.category, stop_loss=stop_loss, take_profit=take_profit,
            trigger_by=self.config.trigger_by,
        )  # fmt: skip
        return await self._command("/v5/position/trading-stop", body, signed_ms)

    async def find_order(self, order_id: str, symbol: str) -> OrderReport | None:
        """Looked for among the open, then the recently closed, then in the history, which lags behind."""
        asked: dict[str, Any] = {"category": self.config.category, "symbol": symbol, "orderLinkId": order_id}
        places = (("/v5/order/realtime", 0), ("/v5/order/realtime", 1), ("/v5/order/history", None))
        best: OrderReport | None = None
        for path, open_only in places:
            try:
                reply = await self._rest.get(path, asked | {"openOnly": open_only}, signed=True)
            except OrderNotFound:
                continue
            for row in reply.result.items("list"):
                report = messages.order_report(row)
                if report.order_id == order_id:
                    best = report.newer(best)
            if best is not None:
                return best
        return None

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        rows = await self._pages("/v5/order/realtime", {"symbol": symbol, "openOnly": 0, "limit": 50})
        found = [messages.order_report(row) for row in rows]
        return [one for one in found if not one.status.is_final]

    async def executions(self, symbol: str, since_ms: int) -> Sequence[OrderFilled | FundingPaid]:
        found: list[tuple[int, int, OrderFilled | FundingPaid]] = []
        seen: set[str] = set()
        # The caller's clock is ours; what is asked for is a span of the venue's.
        start, now = min(since_ms, self._rest.clock.at_venue(since_ms)), self._rest.clock.now_ms() + 1000
        while start <= now:
            end = min(start + _WINDOW_MS - 1, now)
            asked = {"symbol": symbol, "startTime": start, "endTime": end, "limit": 100}
            for row in await self._pages("/v5/execution/list", asked):
                identifier = row.text("execId")
                event = messages.execution(row)
                if event is not None and identifier not in seen:
                    seen.add(identifier)
                    found.append((event.time_ms, row.optional_integer("seq") or 0, event))
            start = end + 1
        return [event for _, _, event in sorted(found, key=lambda one: one[:2])]

    async def position(self, symbol: str) -> PositionReport:
        rows = await self._pages("/v5/position/list", {"symbol": symbol})
        reports = [one for row in rows if (one := messages.position_report(row)).symbol == symbol]
        held = [one for one in reports if one.quantity]
        if len(held) > 1:
            raise ExchangeError(
                f"{symbol}: the account holds long and short at once (hedge mode).",
                remedy="Close both and switch the account to one-way positions.",
            )
        if reports:
            return (held or reports)[0]
        zero = Decimal(0)
        return PositionReport(
            symbol=symbol, quantity=zero, entry_price=zero, stop_loss=None, take_profit=None,
            updated_ms=self._rest.clock.now_ms(),
        )  # fmt: skip

    async def wallet(self) -> WalletReport:
        reply = await self._rest.get("/v5/account/wallet-balance", {"accountType": "UNIFIED"}, signed=True)
        time_ms = reply.time_ms or self._rest.clock.now_ms()
        for row in reply.result.items("list"):
            report = messages.wallet_report(row, self.config.currency, time_ms)
            if report is not None:
                return report
        zero = Decimal(0)
        return WalletReport(currency=self.config.currency, equity=zero, balance=zero, updated_ms=time_ms)

    async def fee_rates(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Maker and taker fee of an instrument, fractions of the notional."""
        asked = {"category": self.config.category, "symbol": symbol}
        rates = messages.fee_rates((await self._rest.get("/v5/account/fee-rate", asked, signed=True)).result)
        if symbol not in rates:
            raise ProtocolError(f"GET /v5/account/fee-rate: nothing said of {symbol}.")
        return rates[symbol]

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of an instrument; one that is set already is no error."""
        body = {
            "category": self.config.category, "symbol": symbol, "buyLeverage": str(leverage),
            "sellLeverage": str(leverage),
        }  # fmt: skip
        await self._rest.post("/v5/position/set-leverage", body)

    async def time_ms(self) -> int:
        return await self.market.time_ms()

    def stream(self) -> AsyncIterator[PrivateMessage]:
        return self._private_messages()

    async def _private_messages(self) -> AsyncIterator[PrivateMessage]:
        async for message in self.private.messages():
            told: PrivateMessage | StreamState = message
            yield told

    def _parse(self, data: Data) -> list[messages.AccountMessage]:
        return messages.parse_private(data, currency=self.config.currency)

    async def _command(self, path: str, body: dict[str, Any], signed_ms: int | None) -> Answer:
        """Send a command and say what is known of it afterwards."""
        try:
            reply = await self._rest.post(path, body, signed_ms=signed_ms, attempts=self._rest.config.order_attempts)
        except DuplicateOrderId as error:
            return Answer(outcome="accepted", text=error.message)
        except OutcomeUnknown as error:
            return Answer(outcome="unknown", text=error.message)
        except ExchangeError as error:
            return Answer(outcome="rejected", text=error.message)
        return Answer(outcome="accepted", venue_id=reply.result.text_or_empty("orderId"))

    async def _pages(self, path: str, asked: dict[str, Any]) -> list[Fields]:
        """Rows of all pages of a list."""
        found: list[Fields] = []
        parameters: dict[str, Any] = {"category": self.config.category} | asked
        for _ in range(_MOST_PAGES):
            reply = await self._rest.get(path, parameters, signed=True)
            rows = list(reply.result.items("list"))
            found += rows
            cursor = reply.result.text_or_empty("nextPageCursor")
            if not cursor or not rows or cursor == parameters.get("cursor"):
                return found
            parameters |= {"cursor": cursor}
        raise ProtocolError(f"GET {path} did not end after {_MOST_PAGES} pages.")
