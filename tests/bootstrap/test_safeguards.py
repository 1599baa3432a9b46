"""What a house is refused for, or warned of, before it trades: over sockets where a venue is asked."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fakes.served import BITCOIN, server_on, tape

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.safeguards import open_account, require_stop, tell_of_unknown
from triptych.domain.errors import DataError, ExchangeError, RecipeError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.simulated.server import answers
from triptych.inference import Combiner, ConsensusArtifact
from triptych.inference.recent_skill import Heard, RecentSkill
from triptych.settings.live import LiveSettings, load_live_settings

KEY = Credentials(key="key", secret="secret")
ETHER = replace(BITCOIN, symbol="ETHUSDT")
NO_STOP = "execution.stop_loss and execution.trailing_stop of the recipe are empty: no stop lies at the venue"


def recipe(distance):
    return SimpleNamespace(execution=SimpleNamespace(nearest_stop=distance))


def test_real_money_without_a_stop_is_refused_unless_it_is_waived_and_told_loudly_elsewhere():
    said = []
    with pytest.raises(RecipeError) as caught:
        require_stop(recipe(None), LiveSettings(), is_real=True, tell=said.append)
    assert caught.value.message == f"{NO_STOP}, and this is real money."
    assert caught.value.remedy == (
        "Set stop_loss under [execution] of the recipe and run it anew, or say --set without_stop=true."
    )
    assert said == []
    require_stop(recipe(None), LiveSettings(without_stop=True), is_real=True, tell=said.append)
    require_stop(recipe(None), LiveSettings(), is_real=False, tell=said.append)
    words = f"WARNING: {NO_STOP}. Nothing ends a loss between two closes, or while this program is down."
    assert said == [words, words]
    require_stop(recipe(2.0), LiveSettings(), is_real=True, tell=said.append)
    assert len(said) == 2


def test_a_trained_run_without_a_stop_is_not_traded_with_real_money(trained, tmp_path):
    assert open_run(trained).recipe.execution.nearest_stop is None
    limits = ["gate.max_order_quote=9", "gate.max_position_quote=9"]
    with pytest.raises(RecipeError) as caught:
        bootstrap.trade_on_bybit(
            [trained], venue="bybit", settings=load_live_settings(overrides=limits), journal=tmp_path / "j.db",
            real_money=True, credentials=KEY,
        )  # fmt: skip
    assert caught.value.message == f"{NO_STOP}, and this is real money."


def test_a_model_that_never_saw_an_instrument_is_told_of():
    said = []
    models = SimpleNamespace(
        runs=[SimpleNamespace(folder=SimpleNamespace(name="chart-1"))],
        artifacts=[SimpleNamespace(card=SimpleNamespace(symbols=("ALFA-USDT",)))],
    )  # fmt: skip
    tell_of_unknown(models, ["ALFA-USDT"], said.append)
    assert said == []
    tell_of_unknown(models, ["ALFA-USDT", "BTCUSDT"], said.append)
    assert said == [
        "WARNING: the model of chart-1 was trained on ALFA-USDT and never on BTCUSDT; no test of it says how it "
        "trades there."
    ]


def test_a_consensus_that_weighs_by_what_it_heard_says_what_it_lacks_of_a_market_of_another_name():
    heard = {"ALFA-USDT": Heard(time_ms=(1,), votes=((0.2, 0.6, 0.2),))}
    recent = RecentSkill(window=60, half_life_days=1.0, floor=0.0, timeframe_ms=60_000, target={"horizon": 4},
                         heard_until_ms=1_700_000_000_000, heard=heard)  # fmt: skip
    combiner = Combiner(method="skill", members=("a",), weights=(1.0,), regime_length=8, recent=recent)
    card = SimpleNamespace(symbols=("ALFA-USDT",))
    artifact = ConsensusArtifact(folder=Path(), card=card, members={}, combiner=combiner)
    models, said = SimpleNamespace(runs=[SimpleNamespace(folder=Path("both-1"))], artifacts=[artifact]), []
    tell_of_unknown(models, ["ALFA-USDT"], said.append)
    assert said == []
    tell_of_unknown(models, ["LATE"], said.append)
    assert said == [
        "WARNING: the model of both-1 was trained on ALFA-USDT and never on LATE; no test of it says how it trades "
        "there. What its members said until 2023-11-14 22:13:20 UTC weighs them on ALFA-USDT alone, by that very name; "
        "on LATE only what they say later does, and until an outcome of that is known the weights are those over all "
        "instruments. If it is the same market, give it the same name."
    ]


def opened(prepare=None, symbols=("BTCUSDT", "ETHUSDT"), listed=None, monkeypatch=None):
    """An account on a server that lists two instruments; `listed`: changes of their rows, by symbol."""
    said = []
    if listed:
        known = answers.instrument_row
        monkeypatch.setattr(
            answers, "instrument_row", lambda one, minutes: known(one, minutes) | listed.get(one.symbol, {})
        )

    async def run():
        series = tape()
        server = server_on()
        server = type(server)([series, replace(series, instrument=ETHER)], known=50)
        async with server:
            if prepare is not None:
                await prepare(server)
            async with BybitConnection(server.hosts) as connection:
                return await open_account(connection, KEY, symbols, said.append)

    return asyncio.run(run()), said


def test_an_account_in_order_opens_without_a_word():
    account, said = opened()
    assert ([one.symbol for one in account.instruments], account.closing_only, said) == (["BTCUSDT", "ETHUSDT"], {}, [])


async def hedged(server):
    """The account holds long and short apart, and nothing at all."""
    known = server.desk.position_row
    server.desk.position_row = lambda symbol: known(symbol) | {"positionIdx": 1, "side": "None"}


def test_an_account_in_hedge_mode_is_refused_while_it_is_flat():
    with pytest.raises(ExchangeError) as caught:
        opened(hedged)
    assert caught.value.message == (
        "BTCUSDT: the account holds long and short apart (hedge mode), and every order would be refused."
    )
    assert caught.value.remedy == "Close both sides and switch the account to one-way positions."


def test_an_instrument_that_is_not_traded_is_closed_only(monkeypatch):
    account, said = opened(listed={"ETHUSDT": {"status": "Closed"}}, monkeypatch=monkeypatch)
    reason = "ETHUSDT is Closed at the venue and not Trading: nothing is opened"
    assert account.closing_only == {"ETHUSDT": reason}
    assert said == [f"WARNING: {reason} until that has changed."]


def test_where_nothing_is_traded_and_nothing_held_there_is_no_start(monkeypatch):
    closed = {"listed": {"BTCUSDT": {"status": "Closed"}}, "monkeypatch": monkeypatch, "symbols": ("BTCUSDT",)}
    with pytest.raises(DataError) as caught:
        opened(**closed)
    assert caught.value.message == (
        "BTCUSDT is Closed at the venue and not Trading: nothing is opened, and nothing is held."
    )

    async def held(server):
        body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
        server.desk.create(body)
        await server.step()
        assert server.desk.venue.position("BTCUSDT").quantity == Decimal("0.01")

    account, _ = opened(held, symbols=("BTCUSDT",))
    assert set(account.closing_only) == {"BTCUSDT"}


def test_the_account_is_counted_in_the_coin_in_which_its_instruments_are_settled(monkeypatch):
    coins = {symbol: {"settleCoin": "USDC"} for symbol in ("BTCUSDT", "ETHUSDT")}
    account, _ = opened(listed=coins, monkeypatch=monkeypatch)
    assert account.gateway.config.currency == "USDC"


def test_instruments_of_several_coins_are_refused(monkeypatch):
    with pytest.raises(DataError) as caught:
        opened(listed={"ETHUSDT": {"settleCoin": "USDC"}}, monkeypatch=monkeypatch)
    assert caught.value.message == ("The instruments are settled in several coins: ETHUSDT in USDC, BTCUSDT in USDT.")
