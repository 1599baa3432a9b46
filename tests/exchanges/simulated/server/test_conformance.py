"""Unmodified ccxt and pybit trade on the simulated exchange: it speaks the protocol, not our idea of it."""

import asyncio
import time

import pytest
from tests.fakes.served import MINUTE, START, in_thread, server_on, tape

ccxt = pytest.importorskip("ccxt", reason="ccxt is the conformance client")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def pointed_at(client, server):
    """The client with its addresses, and nothing else, replaced."""
    base = server.hosts.rest_url
    for name in list(client.urls["api"]):
        if name != "ws":
            client.urls["api"][name] = base
    return client


def options():
    return {
        "apiKey": "key", "secret": "secret", "enableRateLimit": False,
        "options": {"fetchMarkets": {"types": ["linear"]}, "defaultType": "swap"},
    }  # fmt: skip


def test_ccxt_trades_by_rest():
    server = server_on()
    with in_thread(server) as run:
        client = pointed_at(ccxt.bybit(options()), server)
        markets = client.load_markets()
        assert list(markets) == ["BTC/USDT:USDT"]
        assert markets["BTC/USDT:USDT"]["precision"] == {"amount": 0.001, "price": 0.1}
        candles = client.fetch_ohlcv("BTC/USDT:USDT", "1m", since=START, limit=50)
        assert [row[0] for row in candles] == [START + MINUTE * n for n in range(50)]
        assert candles[-1][1:] == tape().values[49].tolist()
        book = client.fetch_order_book("BTC/USDT:USDT")
        assert book["bids"][0][0] < book["asks"][0][0]
        created = client.create_order("BTC/USDT:USDT", "market", "buy", 0.1, params={"clientOrderId": "ccxt-1"})
        assert created["clientOrderId"] == "ccxt-1"
        with pytest.raises(ccxt.ExchangeError):
            client.create_order("BTC/USDT:USDT", "market", "buy", 0.1, params={"clientOrderId": "ccxt-1"})
        run(server.step())
        (trade,) = client.fetch_my_trades("BTC/USDT:USDT")
        assert (trade["amount"], trade["side"], trade["order"]) == (0.1, "buy", created["id"])
        (position,) = client.fetch_positions(["BTC/USDT:USDT"])
        assert (position["contracts"], position["side"], position["entryPrice"]) == (0.1, "long", trade["price"])
        balance = client.fetch_balance()
        # 10 000 less the fee; a fifth of 0.1 BTC is margin.
        wallet = float(server.desk.wallet_row()["coin"][0]["walletBalance"])
        used = 0.1 * float(server.desk.venue.mark("BTCUSDT")) / 5
        assert wallet == pytest.approx(10_000 - trade["fee"]["cost"])
        assert balance["USDT"] == pytest.approx({"free": wallet - used, "used": used, "total": wallet, "debt": 0})
        limit = client.create_order("BTC/USDT:USDT", "limit", "sell", 0.1, 25_000, params={"reduceOnly": True})
        assert [one["id"] for one in client.fetch_open_orders("BTC/USDT:USDT")] == [limit["id"]]
        client.edit_order(limit["id"], "BTC/USDT:USDT", "limit", "sell", 0.05, 26_000)
        (amended,) = client.fetch_open_orders("BTC/USDT:USDT")
        assert (amended["id"], amended["amount"], amended["price"]) == (limit["id"], 0.05, 26_000)
        with pytest.raises(ccxt.ExchangeError, match="remains unchanged"):
            client.edit_order(limit["id"], "BTC/USDT:USDT", "limit", "sell", 0.05, 26_000)
        client.cancel_order(limit["id"], "BTC/USDT:USDT")
        with pytest.raises(ccxt.ExchangeError):
            client.edit_order(limit["id"], "BTC/USDT:USDT", "limit", "sell", 0.06, 26_000)
        assert client.fetch_open_orders("BTC/USDT:USDT") == []
        with pytest.raises(ccxt.InsufficientFunds):
            client.create_order("BTC/USDT:USDT", "market", "buy", 1000)


def test_ccxt_pro_hears_public_and_private_streams():
    pro = pytest.importorskip("ccxt.pro")

    async def play():
        async with server_on() as server:
            client = pointed_at(pro.bybit(options()), server)
            base = f"ws://{server.host}:{server.port}"
            client.urls["api"]["ws"]["public"] = {
                kind: f"{base}/v5/public/{kind}" for kind in ("spot", "linear", "inverse", "option")
            }
            private = f"{base}/v5/private"
            client.urls["api"]["ws"]["private"] = {
                "spot": {"unified": private, "nonUnified": private}, "contract": private, "usdc": private,
                "trade": f"{base}/v5/trade",
            }  # fmt: skip
            try:
                async with asyncio.timeout(60):
                    await client.load_markets()
                    symbol = "BTC/USDT:USDT"
                    book = await client.watch_order_book(symbol, 50)
                    assert book["bids"][0][0] < book["asks"][0][0]
                    candles = asyncio.create_task(client.watch_ohlcv(symbol, "1m"))
                    orders = asyncio.create_task(client.watch_orders(symbol))
                    trades = asyncio.create_task(client.watch_my_trades(symbol))
                    while sum(len(one.topics) for one in server._sessions.open) < 4:
                        await asyncio.sleep(0.02)
                    created = await client.create_order(symbol, "market", "buy", 0.1)
                    assert (await orders)[-1]["id"] == created["id"]
                    await server.step()
                    assert (await candles)[-1][0] == START + 50 * MINUTE
                    (trade,) = await trades
                    resting = await client.create_order_ws(symbol, "limit", "sell", 0.1, 25_000)
                    await client.edit_order_ws(resting["id"], symbol, "limit", "sell", 0.1, 27_000)
                    (amended,) = await client.fetch_open_orders(symbol)
                    assert (amended["id"], amended["price"]) == (resting["id"], 27_000)
                    await client.cancel_order_ws(resting["id"], symbol)
                    assert await client.fetch_open_orders(symbol) == []
                    assert (trade["order"], trade["amount"]) == (created["id"], 0.1)
            finally:
                await client.close()

    asyncio.run(play())


def test_pybit_trades_by_rest():
    pybit = pytest.importorskip("pybit.unified_trading")
    exceptions = pytest.importorskip("pybit.exceptions")
    server = server_on()
    with in_thread(server) as run:
        client = pybit.HTTP(api_key="key", api_secret="secret")
        client.endpoint = server.hosts.rest_url
        now = client.get_server_time()
        assert abs(int(now["result"]["timeSecond"]) - time.time()) < 60
        rows = client.get_kline(category="linear", symbol="BTCUSDT", interval="1", limit=3)["result"]["list"]
        assert [int(row[0]) for row in rows] == [START + MINUTE * n for n in (49, 48, 47)]
        info = client.get_instruments_info(category="linear", symbol="BTCUSDT")["result"]["list"][0]
        assert info["lotSizeFilter"]["qtyStep"] == "0.001"
        placed = client.place_order(
            category="linear", symbol="BTCUSDT", side="Buy", orderType="Market", qty="0.1", orderLinkId="pybit-1",
            stopLoss="15000",
        )["result"]  # fmt: skip
        assert placed["orderLinkId"] == "pybit-1"
        with pytest.raises(exceptions.InvalidRequestError, match="110072"):
            client.place_order(
                category="linear", symbol="BTCUSDT", side="Buy", orderType="Market", qty="0.1", orderLinkId="pybit-1"
            )
        run(server.step())
        position = client.get_positions(category="linear", symbol="BTCUSDT")["result"]["list"][0]
        assert (position["side"], position["size"], position["stopLoss"]) == ("Buy", "0.1", "15000")
        history = client.get_order_history(category="linear", symbol="BTCUSDT")["result"]["list"]
        assert [one["orderStatus"] for one in history] == ["Filled"]
        executions = client.get_executions(category="linear", symbol="BTCUSDT")["result"]["list"]
        assert executions[0]["execQty"] == "0.1"
        wallet = client.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
        assert float(wallet["totalEquity"]) == pytest.approx(float(server.desk.venue.equity))
        client.set_trading_stop(category="linear", symbol="BTCUSDT", stopLoss="16000", positionIdx=0)
        client.client.close()


def test_ccxt_sends_and_cancels_several_orders_at_once_and_asks_for_the_open_interest():
    server = server_on()
    symbol = "BTC/USDT:USDT"
    with in_thread(server) as run:
        client = pointed_at(ccxt.bybit(options()), server)
        order = {"symbol": symbol, "type": "limit", "side": "buy", "amount": 0.01}
        made = client.create_orders([
            {**order, "price": 18_000, "params": {"clientOrderId": "batch-1"}},
            {**order, "price": 18_100, "params": {"clientOrderId": "batch-1"}},
            {**order, "amount": 1_000, "price": 18_200},
            {**order, "price": 18_300},
        ])  # fmt: skip
        assert [(one["id"] is None, one["clientOrderId"]) for one in made] == [
            (False, "batch-1"), (True, "batch-1"), (True, None), (False, None),
        ]  # fmt: skip
        assert [one["info"].get("code") for one in made] == [None, 110072, 110007, None]
        resting = client.fetch_open_orders(symbol)
        assert {one["price"] for one in resting} == {18_000, 18_300}
        ended = client.cancel_orders([one["id"] for one in resting] + ["not-there"], symbol)
        assert [one["id"] for one in ended] == [*(one["id"] for one in resting), "not-there"]
        assert client.fetch_open_orders(symbol) == []

        assert client.fetch_open_interest(symbol, {"interval": "5m"})["openInterestAmount"] == 0
        client.create_order(symbol, "market", "buy", 0.1)
        run(server.step(10))
        assert client.fetch_open_interest(symbol, {"interval": "5m"})["openInterestAmount"] == 0.1
        history = client.fetch_open_interest_history(symbol, "5m", since=START + 45 * MINUTE, limit=5)
        assert [one["openInterestAmount"] for one in history] == [
            0,
            0.1,
            0.1,
            0.1,
        ]  # filled at the open of the 51st candle
        assert [one["timestamp"] for one in history] == [START + n * MINUTE for n in (45, 50, 55, 60)]
        assert float(client.fetch_ticker(symbol)["info"]["openInterest"]) == 0.1
        with pytest.raises(ccxt.ExchangeError, match="intervalTime invalid"):
            client.public_get_v5_market_open_interest({"category": "linear", "symbol": "BTCUSDT", "intervalTime": "7m"})


def test_an_oversized_reduce_only_order_is_cut_to_the_position_and_refused_where_there_is_none():
    server = server_on()
    symbol = "BTC/USDT:USDT"
    with in_thread(server) as run:
        client = pointed_at(ccxt.bybit(options()), server)
        with pytest.raises(ccxt.InvalidOrder, match="110017"):
            client.create_order(symbol, "market", "sell", 0.1, params={"reduceOnly": True})
        client.create_order(symbol, "market", "buy", 0.1)
        run(server.step())
        resting = client.create_order(symbol, "limit", "sell", 0.3, 25_000, params={"reduceOnly": True})
        (found,) = client.fetch_open_orders(symbol)
        assert (found["id"], found["amount"], found["reduceOnly"]) == (resting["id"], 0.1, True)
        client.edit_order(resting["id"], symbol, "limit", "sell", 0.5, 26_000)
        (found,) = client.fetch_open_orders(symbol)
        assert (found["amount"], found["price"]) == (0.1, 26_000)
        client.cancel_order(resting["id"], symbol)
        client.create_order(symbol, "market", "sell", 5, params={"reduceOnly": True})
        run(server.step())
        assert server.desk.venue.position("BTCUSDT").quantity == 0
        assert [trade["amount"] for trade in client.fetch_my_trades(symbol)] == [0.1, 0.1]


def test_pybit_sends_amends_and_cancels_several_orders_at_once():
    pybit = pytest.importorskip("pybit.unified_trading")
    exceptions = pytest.importorskip("pybit.exceptions")
    server = server_on()
    with in_thread(server):
        client = pybit.HTTP(api_key="key", api_secret="secret")
        client.endpoint = server.hosts.rest_url
        order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
        said = client.place_batch_order(category="linear", request=[
            {**order, "price": "18000", "orderLinkId": "one"}, {**order, "price": "18000", "side": "Up"},
        ])  # fmt: skip
        assert said["retExtInfo"] == {
            "list": [{"code": 0, "msg": "OK"}, {"code": 10001, "msg": "side or orderType invalid"}]
        }
        first, second = said["result"]["list"]
        assert (first["orderLinkId"], second["orderId"], second["createAt"]) == ("one", "", "")
        assert first["createAt"] == str(START + 50 * MINUTE)
        one = {"symbol": "BTCUSDT", "orderLinkId": "one"}
        said = client.amend_batch_order(category="linear", request=[{**one, "price": "17900"}])
        assert said["retExtInfo"]["list"][0]["code"] == 0
        (row,) = client.get_open_orders(category="linear", symbol="BTCUSDT")["result"]["list"]
        assert row["price"] == "17900"
        said = client.cancel_batch_order(category="linear", request=[one, one])
        assert [told["code"] for told in said["retExtInfo"]["list"]] == [0, 110001]
        with pytest.raises(exceptions.InvalidRequestError, match="a batch holds 1 to 20 orders"):
            client.place_batch_order(category="linear", request=[order] * 21)
        told = client.get_open_interest(category="linear", symbol="BTCUSDT", intervalTime="1h", limit=1)["result"]
        assert told["list"] == [{"openInterest": "0", "timestamp": str(START)}]
        client.client.close()
