"""Bybit as a venue behind a wire: what live trading commands, asks and hears."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import Field

from triptych import domain
from triptych.domain import (
    CancelOrder,
    FundingPaid,
    Listing,
    OrderFilled,
    OrderReport,
    PositionReport,
    StreamState,
    SubmitOrder,
    WalletReport,
)
from triptych.domain.errors import (
    AuthenticationRefused,
    Banned,
    ClockRefused,
    DuplicateOrderId,
    ExchangeError,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
)
from triptych.exchanges.bybit import account_messages as messages
from triptych.exchanges.bybit.codes import is_about_rules
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
from triptych.exchanges.bybit.words import Category
from triptych.exchanges.gateway import AbstractGateway, Answer, PrivateMessage, Remark
from triptych.exchanges.timing import AbstractTimer

PRIVATE_TOPICS: Final = ("order", "execution", "position", "wallet")
_WINDOW_MS: Final = 7 * 86_400_000
"""The longest span of executions that one question may cover."""
_KEPT_MS: Final = 730 * 86_400_000
"""How far back the venue knows executions; a question about what was before finds nothing."""
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
        self.venue = hosts.venue
        self.validity_ms = rest.config.receive_window_ms
        self.market = MarketClient(rest, self.config.category)
        self._rest, self._hosts = rest, hosts
        self._coins: dict[str, str] = {}
        self._remarks: list[Remark] = []
        self._wondered: set[tuple[str, str, bool]] = set()
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
                if report.order_id == order_id and not report.is_protection:
                    best = report.newer(best)
            if best is not None:
                return best
        return None

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        rows = await self._account_rows("/v5/order/realtime", symbols, {"openOnly": 0, "limit": 50})
        found = [messages.order_report(row) for row in rows]
        return [one for one in found if not one.status.is_final and not one.is_protection]

    async def executions(self, symbols: Sequence[str], since_ms: int) -> Sequence[OrderFilled | FundingPaid]:
        found: list[tuple[int, int, OrderFilled | FundingPaid]] = []
        seen: set[str] = set()
        # The caller's clock is ours; what is asked for is a span of the venue's.
        start, now = min(since_ms, self._rest.clock.at_venue(since_ms)), self._rest.clock.now_ms() + 1000
        start = max(start, now - _KEPT_MS)
        while start <= now:
            end = min(start + _WINDOW_MS - 1, now)
            asked = {"startTime": start, "endTime": end, "limit": 100}
            for row in await self._account_rows("/v5/execution/list", symbols, asked):
                identifier = row.text("execId")
                event = messages.execution(row)
                self._wonder(row, event)
                if event is not None and identifier not in seen:
                    seen.add(identifier)
                    found.append((event.time_ms, row.optional_integer("seq") or 0, event))
            start = end + 1
        return [event for _, _, event in sorted(found, key=lambda one: one[:2])]

    async def positions(self, symbols: Sequence[str]) -> Mapping[str, PositionReport]:
        """Asked for by coin, the venue leaves out what is flat."""
        rows = await self._account_rows("/v5/position/list", symbols, {"limit": 200})
        found: dict[str, PositionReport] = {}
        for report in map(messages.position_report, rows):
            before = found.get(report.symbol)
            if before is not None and before.quantity and report.quantity:
                raise ExchangeError(
                    f"{report.symbol}: the account holds long and short at once (hedge mode).",
                    remedy="Close both and switch the account to one-way positions.",
                )
            if before is None or report.quantity:
                found[report.symbol] = report
        zero, now = Decimal(0), self._rest.clock.now_ms()
        for symbol in symbols:
            found.setdefault(symbol, PositionReport(
                symbol=symbol, quantity=zero, entry_price=zero, stop_loss=None, take_profit=None, updated_ms=now,
            ))  # fmt: skip
        return found

    async def listings(self, symbols: Sequence[str]) -> Mapping[str, Listing]:
        return await self.market.found(symbols)

    async def hedged(self, symbols: Sequence[str]) -> Sequence[str]:
        """Only the question for one instrument is answered with the rows of both sides when nothing is held."""
        found = []
        for symbol in symbols:
            rows = await self._pages("/v5/position/list", {"symbol": symbol})
            if any(row.optional_integer("positionIdx") for row in rows if row.text("symbol") == symbol):
                found.append(symbol)
        return found

    async def require_one_way(self, symbols: Sequence[str]) -> None:
        """Raises ExchangeError where long and short are held apart (hedge mode), also while the account is flat."""
        for symbol in await self.hedged(symbols):
            raise ExchangeError(
                f"{symbol}: the account holds long and short apart (hedge mode), and every order would be refused.",
                remedy="Close both sides and switch the account to one-way positions.",
            )

    async def wallet(self) -> WalletReport:
        reply = await self._rest.get("/v5/account/wallet-balance", {"accountType": "UNIFIED"}, signed=True)
        time_ms = reply.time_ms or self._rest.clock.now_ms()
        for row in reply.result.items("list"):
            report = messages.wallet_report(row, self.config.currency, time_ms)
            if report is not None:
                return report
        zero = Decimal(0)
        return WalletReport(currency=self.config.currency, equity=zero, balance=zero, updated_ms=time_ms)

    async def account(self) -> str:
        """The number of the account behind the key; empty where the venue does not tell it, as on its demo."""
        try:
            reply = await self._rest.get("/v5/user/query-api", signed=True)
        except (AuthenticationRefused, Banned, ClockRefused, RateLimited):
            raise
        except ExchangeError as error:
            if error.code is None or self._hosts.world == "real":
                raise
            return ""
        try:
            return str(reply.result.optional_integer("userID") or "")
        except ProtocolError:  # which would quote the answer, and the key in it
            raise ProtocolError("GET /v5/user/query-api: the number of the account cannot be read.") from None

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
        if data.topic == "execution":
            for row in messages.rows_of(Fields(data.content, data.topic), data.topic, self.config.category):
                self._wonder(row, messages.execution(row))
        said = messages.parse_private(data, currency=self.config.currency, category=self.config.category)
        return [one for one in said if not (isinstance(one, OrderReport) and one.is_protection)]

    def remarks(self) -> Sequence[Remark]:
        told, self._remarks = self._remarks, []
        return told

    def _wonder(self, row: Fields, event: OrderFilled | FundingPaid | None) -> None:
        """Say once of each kind of execution and instrument that the kind is not known here."""
        kind, symbol, counts = messages.unknown_kind(row), row.text("symbol"), event is not None
        if not kind or (kind, symbol, counts) in self._wondered:
            return
        self._wondered.add((kind, symbol, counts))
        text = f"execution {row.text('execId')} is of the unknown kind {kind}"
        self._remarks.append(
            Remark(
                severity="critical", symbol=symbol,
                text=f"{text}: it is taken for a trade, and the venue's position says whether it was one",
            )
            if counts
            else Remark(severity="warning", text=f"{text} and names no quantity: it is passed over", symbol=symbol)
        )  # fmt: skip

    async def _command(self, path: str, body: dict[str, Any], signed_ms: int | None) -> Answer:
        """Send a command and say what is known of it afterwards."""
        try:
            reply = await self._rest.post(path, body, signed_ms=signed_ms, attempts=self._rest.config.order_attempts)
        except DuplicateOrderId as error:
            return Answer(outcome="accepted", text=error.message)
        except OutcomeUnknown as error:
            return Answer(outcome="unknown", text=error.message)
        except ExchangeError as error:
            return Answer(outcome="rejected", text=error.message, doubts_rules=is_about_rules(error))
        return Answer(outcome="accepted", venue_id=reply.result.text_or_empty("orderId"))

    async def _account_rows(self, path: str, symbols: Sequence[str], asked: dict[str, Any]) -> list[Fields]:
        """Rows of these instruments: of one by its name, of several by the pages of the whole account.

        However many instruments there are, the number of questions is that of the account's pages.
        """
        if len(symbols) == 1:
            rows = await self._pages(path, {"symbol": symbols[0]} | asked)
        elif self.config.category == "linear" and path != "/v5/execution/list":  # these two lists want a coin
            coins = await self._settle_coins(symbols)
            rows = [row for coin in coins for row in await self._pages(path, {"settleCoin": coin} | asked)]
        else:
            rows = await self._pages(path, asked)
        wanted = set(symbols)
        return [row for row in rows if row.text("symbol") in wanted]

    async def _settle_coins(self, symbols: Sequence[str]) -> list[str]:
        """The coins in which these instruments are settled.

        One that is not listed any more, such as a contract that has ended, is looked for in the coin of the account: it
        must keep nobody from settling the others.
        """
        missing = [symbol for symbol in symbols if symbol not in self._coins]
        if missing:
            listed = await self.market.found(missing)
            self._coins |= {symbol: listing.settle for symbol, listing in listed.items()}
        return sorted({self._coins.get(symbol, self.config.currency) for symbol in symbols})

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
