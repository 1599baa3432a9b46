"""What the server answers to each path of the REST interface. No socket, no clock but the one that is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from triptych.exchanges.bybit.orders import plain
from triptych.exchanges.simulated.costs import Config, decimal
from triptych.exchanges.simulated.server.desk import Desk, Told
from triptych.exchanges.simulated.server.public import PublicMarket
from triptych.exchanges.simulated.server.refusal import Refusal
from triptych.exchanges.simulated.server.rows import CATEGORY, OrderRecord, instrument_row

Asked = Mapping[str, Any]
COIN = "USDT"
MOST_IN_A_BATCH = 20
_OPEN_INTEREST_MINUTES = {"5min": 5, "15min": 15, "30min": 30, "1h": 60, "4h": 240, "1d": 1440}
_ALL = "ContractTrade", "Spot", "Wallet", "Options", "Derivatives"


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What came of a command: the result, what the private stream is told, and what goes beside the result."""

    result: dict[str, Any]
    told: Told = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)


class Answers:
    """`answer` looks the path up; public ones need no key."""

    def __init__(self, market: PublicMarket, desk: Desk, costs: Config) -> None:
        self._market = market
        self._desk = desk
        self._costs = costs
        self._public: dict[str, Callable[[Asked], dict[str, Any]]] = {
            "/v5/market/kline": self._candles,
            "/v5/market/mark-price-kline": self._price_candles,
            "/v5/market/index-price-kline": self._price_candles,
            "/v5/market/orderbook": self._book,
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/funding/history": self._funding,
            "/v5/market/tickers": self._tickers,
            "/v5/market/open-interest": self._open_interest,
        }
        self._private: dict[str, Callable[[Asked], dict[str, Any]]] = {
            "/v5/order/realtime": self._open_or_recent,
            "/v5/order/history": self._history,
            "/v5/execution/list": self._executions,
            "/v5/position/list": self._positions,
            "/v5/account/wallet-balance": lambda asked: {"list": [desk.wallet_row()]},
            "/v5/account/fee-rate": self._fees,
            "/v5/account/info": lambda asked: {
                "marginMode": "ISOLATED_MARGIN", "updatedTime": "0", "unifiedMarginStatus": 6, "dcpStatus": "OFF",
                "timeWindow": 10, "smpGroup": 0, "isMasterTrader": False, "spotHedgingStatus": "OFF",
            },
            "/v5/user/query-api": lambda asked: {
                "id": "1", "note": "simulated", "readOnly": 0, "permissions": {name: [] for name in _ALL}, "ips": ["*"],
                "type": 1, "unified": 0, "uta": 1, "userID": 1, "vipLevel": "No VIP", "isMaster": True,
            },
            "/v5/asset/coin/query-info": lambda asked: {"rows": [_COIN]},
        }  # fmt: skip
        self._commands: dict[str, Callable[[Asked], tuple[dict[str, Any], Told]]] = {
            "/v5/order/create": desk.create,
            "/v5/order/amend": desk.amend,
            "/v5/order/cancel": desk.cancel,
            "/v5/order/cancel-all": desk.cancel_all,
            "/v5/position/trading-stop": lambda body: ({}, desk.protect(body)),
            "/v5/position/set-leverage": self._leverage,
        }
        self._batches = {f"{path}-batch": path for path in ("/v5/order/create", "/v5/order/amend", "/v5/order/cancel")}

    def is_public(self, path: str) -> bool:
        """Whether no key is needed."""
        return path in self._public or path == "/v5/market/time"

    def ask(self, path: str, asked: Asked) -> dict[str, Any]:
        """The result of a question. Raises Refusal, KeyError for a path that does not exist."""
        return (self._public.get(path) or self._private[path])(asked)

    def command(self, path: str, body: Asked) -> Done:
        """Carry out a command. Raises Refusal, KeyError as above."""
        if path in self._batches:
            return self._batch(self._batches[path], body)
        result, told = self._commands[path](body)
        return Done(result=result, told=told)

    def knows(self, method: str, path: str) -> bool:
        """Whether the path exists."""
        if method == "POST":
            return path in self._commands or path in self._batches
        return path in self._public or path in self._private

    def _batch(self, path: str, body: Asked) -> Done:
        """Several commands in one request: each is carried out or refused by itself, and two lists tell of all."""
        orders = body.get("request")
        if not isinstance(orders, list) or not all(isinstance(one, dict) for one in orders):
            raise Refusal(10001, "params error: request must be a list")
        if not 0 < len(orders) <= MOST_IN_A_BATCH:
            raise Refusal(10001, f"params error: a batch holds 1 to {MOST_IN_A_BATCH} orders")
        rows, codes, told = [], [], Told()
        for order in orders:
            row = {"category": CATEGORY, "symbol": str(order.get("symbol") or "")}
            row |= {name: str(order.get(name) or "") for name in ("orderId", "orderLinkId")}
            code, text, made = 0, "OK", ""
            try:
                result, messages = self._commands[path]({"category": body.get("category"), **order})
                row |= result
                told += messages
                made = str(self._desk.now_ms)
            except Refusal as refusal:
                code, text = refusal.code, refusal.text
            rows.append(row | {"createAt": made} if path == "/v5/order/create" else row)
            codes.append({"code": code, "msg": text})
        return Done(result={"list": rows}, told=told, beside={"list": codes})

    def _symbol(self, asked: Asked) -> str:
        symbol = str(asked.get("symbol") or "")
        if symbol not in self._market.instruments or asked.get("category", CATEGORY) != CATEGORY:
            raise Refusal(10001, "params error: symbol invalid")
        return symbol

    def _candles(self, asked: Asked) -> dict[str, Any]:
        symbol = self._symbol(asked)
        rows = self._market.candles(
            symbol, str(asked.get("interval")), _whole(asked, "start"), _whole(asked, "end"),
            _whole(asked, "limit") or 200,
        )  # fmt: skip
        return {"category": CATEGORY, "symbol": symbol, "list": rows}

    def _price_candles(self, asked: Asked) -> dict[str, Any]:
        found = self._candles(asked)
        return found | {"list": [row[:5] for row in found["list"]]}

    def _book(self, asked: Asked) -> dict[str, Any]:
        return self._market.book(self._symbol(asked), _whole(asked, "limit") or 25)

    def _instruments(self, asked: Asked) -> dict[str, Any]:
        minutes = self._costs.funding_interval_hours * 60
        known = self._market.instruments.items() if asked.get("category") == CATEGORY else ()
        rows = {symbol: instrument_row(one, minutes) for symbol, one in known}
        listed = self._desk.shelf.listed(rows, asked)
        return {"category": asked.get("category"), "list": listed, "nextPageCursor": ""}

    def _funding(self, asked: Asked) -> dict[str, Any]:
        end = _whole(asked, "endTime")
        end = self._market.tape.now_ms if end is None else end
        rows = self._market.funding(self._symbol(asked), _whole(asked, "startTime") or 0, end)
        return {"category": CATEGORY, "list": rows}

    def _tickers(self, asked: Asked) -> dict[str, Any]:
        wanted = [self._symbol(asked)] if asked.get("symbol") else list(self._market.last)
        rows = [self._market.ticker(symbol) for symbol in wanted] if asked.get("category") == CATEGORY else []
        return {"category": asked.get("category"), "list": rows}

    def _open_interest(self, asked: Asked) -> dict[str, Any]:
        """Newest first. There is one trader: what is open is what the account holds."""
        symbol, tape = self._symbol(asked), self._market.tape
        minutes = _OPEN_INTEREST_MINUTES.get(str(asked.get("intervalTime") or asked.get("interval")))
        if minutes is None:
            raise Refusal(10001, "params error: intervalTime invalid")
        step, end = minutes * 60_000, _whole(asked, "endTime")
        newest = min(tape.now_ms, tape.now_ms if end is None else end) // step * step
        oldest = max(_whole(asked, "startTime") or 0, tape.first_ms)
        rows = [
            {"openInterest": plain(self._desk.held_at(symbol, time_ms)), "timestamp": str(time_ms)}
            for time_ms in range(newest, oldest - 1, -step)
        ]
        return {"symbol": symbol} | self._page(rows, {"limit": 50, **asked}, most=200)

    def _open_or_recent(self, asked: Asked) -> dict[str, Any]:
        if not any(asked.get(name) for name in ("orderId", "orderLinkId")):
            _require_scope(asked)
        open_only = str(asked.get("openOnly") or "0") == "0"
        found = [one for one in self._chosen(asked) if one.is_open or not open_only]
        if not open_only:
            found = [one for one in found if not one.is_open][:500]
        return self._page([one.row() for one in found], asked, most=50)

    def _history(self, asked: Asked) -> dict[str, Any]:
        return self._page([one.row() for one in self._chosen(asked) if not one.is_open], asked, most=50)

    def _chosen(self, asked: Asked) -> list[OrderRecord]:
        """By the venue's id before ours before the symbol, newest first."""
        if asked.get("orderId") or asked.get("orderLinkId"):
            found = self._desk.find(asked)
            return [] if found is None else [found]
        symbol = asked.get("symbol")
        if not symbol and asked.get("settleCoin", COIN) != COIN:
            return []
        return [one for one in reversed(self._desk.orders.values()) if symbol in (None, "", one.order.symbol)]

    def _executions(self, asked: Asked) -> dict[str, Any]:
        start, end = _whole(asked, "startTime") or 0, _whole(asked, "endTime")
        if end is not None and end - start > 7 * 86_400_000:
            raise Refusal(10001, "The time range between startTime and endTime should be less than 7 days")
        rows = [
            row
            for row, told_ms in zip(reversed(self._desk.executions), reversed(self._desk.told_ms), strict=True)
            if asked.get("symbol", row["symbol"]) == row["symbol"]
            and asked.get("orderLinkId", row["orderLinkId"]) == row["orderLinkId"]
            and start <= told_ms <= (2**62 if end is None else end)
        ]
        return self._page(rows, asked, most=100)

    def _positions(self, asked: Asked) -> dict[str, Any]:
        if asked.get("symbol"):
            rows = self._desk.shelf.sides(self._desk.position_row(self._symbol(asked)))
            return {"category": CATEGORY, "list": rows, "nextPageCursor": ""}
        _require_scope(asked)
        here = self._desk.instruments if asked.get("settleCoin", COIN) == COIN else ()
        sides = [row for symbol in here for row in self._desk.shelf.sides(self._desk.position_row(symbol))]
        rows = [row for row in sides if row["size"] != "0"]
        return self._page(rows, asked, most=200)

    def _fees(self, asked: Asked) -> dict[str, Any]:
        taker, maker = decimal(self._costs.taker_fee), decimal(self._costs.maker_fee)
        fees = {"takerFeeRate": plain(taker), "makerFeeRate": plain(maker)}
        wanted = asked.get("symbol")
        return {"list": [{"symbol": one, **fees} for one in self._desk.instruments if wanted in (None, one)]}

    def _leverage(self, body: Asked) -> tuple[dict[str, Any], Told]:
        if decimal(self._costs.leverage) == decimal(float(body.get("buyLeverage") or 0)):
            raise Refusal(110043, "Set leverage has not been modified.")
        raise Refusal(110013, "The simulated exchange has one leverage, set when it is started.")

    def _page(self, rows: list[dict[str, Any]], asked: Asked, *, most: int) -> dict[str, Any]:
        limit = min(_whole(asked, "limit") or 20, most)
        at = _whole(asked, "cursor") or 0
        following = str(at + limit) if at + limit < len(rows) else ""
        return {"category": CATEGORY, "list": rows[at : at + limit], "nextPageCursor": following}


_COIN = {
    "name": "USDT", "coin": "USDT", "remainAmount": "0",
    "chains": [
        {
            "chain": "ETH", "chainType": "ETH", "confirmation": "6", "withdrawFee": "0", "depositMin": "0",
            "withdrawMin": "0", "chainDeposit": "0", "chainWithdraw": "0", "minAccuracy": "8",
            "withdrawPercentageFee": "0",
        }
    ],
}  # fmt: skip


def _require_scope(asked: Asked) -> None:
    """Linear instruments are asked for by symbol or by coin, as the venue wants it."""
    if asked.get("category") == CATEGORY and not any(asked.get(name) for name in ("symbol", "settleCoin", "baseCoin")):
        raise Refusal(10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin")


def _whole(asked: Asked, name: str) -> int | None:
    value = asked.get(name)
    if value in (None, ""):
        return None
    try:
        return int(str(value))
    except ValueError:
        raise Refusal(10001, f"{name} invalid") from None
