"""A journal beside its account, over real sockets: what differs is named, explained and repaired."""

import asyncio
import json
from decimal import Decimal

import pytest
from tests.fakes.micro import call
from tests.fakes.served import COSTS, gateway_on, in_thread, tape

from triptych import bootstrap
from triptych.domain import FillReason, OrderFilled, OrderType, Side, SubmitOrder, SystemClock
from triptych.domain.errors import DataError, JournalError, LeaseError, RecipeError
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.simulated.server import BybitServer, RestFault
from triptych.live.journal import AccountNamed, Journal, Switch, SwitchSet
from triptych.settings.live import LiveSettings
from triptych.trading.order_id import OrderIds

KEY = Credentials(key="key", secret="secret")
ALONE = LiveSettings(reconciliation={"rival_minutes": 0})
"""As after the minutes for which another session must be silent."""


def look(traded, **options):
    server, _, journal = traded
    return bootstrap.reconcile(journal, venue="local", hosts=server.hosts, credentials=KEY, **options)


def command(traded, order):
    """Somebody sends an order, and a candle closes."""
    server, _, _ = traded

    async def send():
        async with gateway_on(server) as gateway:
            return await gateway.submit(order, signed_ms=SystemClock().now_ms())

    assert asyncio.run(send()).outcome == "accepted"


def order(name, **changes):
    words = {"side": Side.BUY, "quantity": Decimal("0.01"), "time_ms": 0, "type": OrderType.MARKET} | changes
    return SubmitOrder(order_id=name, symbol="BTCUSDT", **words)


def protect(traded, *, stop=None, target=None):
    """Somebody sets stop and target at the venue."""
    server, _, _ = traded

    async def send():
        async with gateway_on(server) as gateway:
            return await gateway.protect("BTCUSDT", stop_loss=stop, take_profit=target)

    assert asyncio.run(send()).outcome == "accepted"


def test_what_was_entered_without_an_execution_is_no_difference(traded):
    """Closed by hand so long ago that nobody could tell how, and adopted: the venue knows no such fills."""
    _, _, journal = traded
    writer = Journal.open(journal, "demo", owner="an earlier session")
    writer.lease.acquire()
    common = {
        "order_id": "", "symbol": "BTCUSDT", "quantity": Decimal("0.001"), "price": Decimal(20_000), "fee": Decimal(0),
        "is_maker": False, "time_ms": SystemClock().now_ms(), "reference_price": Decimal(20_000),
    }  # fmt: skip
    writer.append(
        OrderFilled(fill_id="by-hand-BTCUSDT-1", side=Side.SELL, reason=FillReason.BY_HAND, **common),
        OrderFilled(fill_id="adopted-BTCUSDT-2", side=Side.BUY, **common),
    )
    writer.lease.release()
    writer.close()
    assert look(traded).differences == ()


def test_a_journal_that_agrees_with_its_account_has_no_difference(traded):
    found = look(traded)
    assert (found.name, found.symbols, found.differences, found.left) == ("demo", ("BTCUSDT",), (), ())


def test_a_lost_stop_is_named_and_set_again(traded):
    server, _, _ = traded
    held = server.desk.venue.protection("BTCUSDT")
    protect(traded)
    (one,) = look(traded).differences
    assert (one.kind, one.journal, one.venue) == ("stop", f"stop {held[0]}, target none", "stop none, target none")
    assert one.explanation == "The position is not protected: its stop was taken away."
    found = look(traded, repair=True)
    assert (len(found.differences), found.left) == (1, ())
    assert server.desk.venue.protection("BTCUSDT") == held


def test_fills_that_nobody_heard_of_explain_the_position_and_are_entered(traded):
    server, run, _ = traded
    ours = OrderIds("demo", "BTCUSDT", 1).make(1_700_000_000_000, "open")
    command(traded, order(ours))
    run(server.step())
    found = look(traded)
    assert [one.kind for one in found.differences] == ["fill", "position"]
    assert found.differences[0].journal == "nothing"
    assert found.differences[1].explanation == "1 fills of ours that the journal lacks make the difference."
    assert look(traded, repair=True, settings=ALONE).left == ()
    assert look(traded).differences == ()


def test_a_repair_gives_way_to_another_session_of_the_account_and_touches_nothing(traded):
    server, run, journal = traded
    theirs = OrderIds("demo", "BTCUSDT", 9).make(1_700_000_000_000, "open")
    command(traded, order(theirs))
    run(server.step())
    protect(traded)
    newest = Journal.read(journal, "demo").newest()
    with pytest.raises(LeaseError) as caught:
        look(traded, repair=True)
    assert caught.value.message == (
        "demo: another session of this account, which does not write this journal, has opened a position by order "
        f"{theirs} in the last 10 minutes."
    )
    assert server.desk.venue.protection("BTCUSDT") == (None, None)
    added = [entry.record for entry in Journal.read(journal, "demo").entries(after=newest)]
    assert [type(one).__name__ for one in added] == ["AccountNamed", "NoteWritten"]
    assert Journal.read(journal, "demo").last(AccountNamed).record == AccountNamed(world="simulated", account="1")


def test_a_trade_by_hand_is_named_and_only_adopted_when_told_so(traded):
    server, run, _ = traded
    assert server.desk.venue.position("BTCUSDT").quantity < 0
    command(traded, order("by-hand", side=Side.SELL))
    run(server.step())
    (one,) = look(traded).differences
    assert one.explanation == "1 fills of orders that are not ours make the difference: somebody trades by hand."
    assert one.repair == "Left as it is; --adopt takes the venue's quantity over."
    assert len(look(traded, repair=True).left) == 1
    assert look(traded, repair=True, adopt=True).left == ()
    assert look(traded).differences == ()


def test_what_somebody_has_closed_of_ours_is_entered(traded):
    server, run, _ = traded
    command(traded, order("by-hand"))
    run(server.step())
    (one,) = look(traded).differences
    assert one.repair == "So much of our position is entered as closed by somebody else."
    assert look(traded, repair=True).left == ()


def test_an_order_with_an_id_of_ours_that_nobody_decided_on_is_withdrawn_and_a_strangers_is_not(traded):
    ours = OrderIds("demo", "BTCUSDT", 9).make(1_700_000_000_000, "open")
    for name in (ours, "by-hand"):
        command(traded, order(name, type=OrderType.LIMIT, limit_price=Decimal(9_000)))
    found = look(traded)
    theirs, mine = sorted(found.differences, key=lambda one: one.repair)
    assert (theirs.kind, theirs.journal, theirs.repair) == ("order", "nothing is under way", "")
    assert (mine.kind, mine.journal, mine.repair) == ("order", "nothing is under way", "It is withdrawn.")
    assert mine.venue == f"{ours}, buy 0.01, 0 filled, is open"
    (left,) = look(traded, repair=True, settings=ALONE).left
    assert left.explanation == "Somebody else has placed it."


def test_a_target_that_somebody_has_set_is_his_and_stays_when_our_stop_is_set_again(traded):
    server, _, _ = traded
    stop, none = server.desk.venue.protection("BTCUSDT")
    assert none is None
    target = Decimal(10_000)  # far below a short position
    protect(traded, stop=stop, target=target)
    assert look(traded).differences == ()
    protect(traded, target=target)
    assert look(traded, repair=True).left == ()
    assert server.desk.venue.protection("BTCUSDT") == (stop, target)


def test_where_a_stop_cannot_be_set_again_a_repair_says_so_and_does_not_trade(traded):
    server, _, _ = traded
    held, sent = server.desk.venue.position("BTCUSDT").quantity, len(server.desk.orders)
    protect(traded)
    server.faults.add(RestFault(kind="refuse", code=10001, path="/v5/position/trading-stop", times=5))
    told = []
    found = look(traded, repair=True, tell=told.append)
    assert told[-2] == (
        "BTCUSDT: the position is not protected. A repair does not trade: close it at the venue, or start the house, "
        "which closes it at market where its stop cannot be set again"
    )
    assert told[-1].startswith("BTCUSDT: not settled: the position's stop")
    assert told[-1].endswith("is gone, and could not be set again")
    assert [one.kind for one in found.left] == ["stop"]
    assert (server.desk.venue.position("BTCUSDT").quantity, len(server.desk.orders)) == (held, sent)


def test_after_a_kill_the_books_are_flat_where_the_venue_is_as_at_a_start(traded):
    _, _, journal = traded
    flat = BybitServer([tape()], known=100, costs=COSTS)  # nothing is held there, and no fill tells why
    with in_thread(flat):
        there = {"venue": "local", "hosts": flat.hosts, "credentials": KEY, "repair": True}
        assert "position" in [one.kind for one in bootstrap.reconcile(journal, **there).left]
        writer = Journal.open(journal, "demo", owner="the operator")
        writer.lease.acquire()
        writer.append(SwitchSet(switch=Switch.KILLED, by="the operator", reason="a test"))
        writer.lease.release()
        writer.close()
        assert "position" not in [one.kind for one in bootstrap.reconcile(journal, **there).left]


def real_money(server):
    """The served exchange, but for the private stream, which nobody listens to here: the dearer address counts."""
    return HostConfig(
        environment="custom", rest=server.hosts.rest_url, public=server.hosts.public,
        private="wss://stream.bybit.com/v5/private",
    )  # fmt: skip


def test_looking_at_real_money_takes_no_consent_and_a_repair_takes_that_of_a_start(traded):
    server, _, journal = traded
    held = server.desk.venue.protection("BTCUSDT")
    protect(traded)
    hosts = real_money(server)
    assert hosts.world == "real"
    common = {"venue": "local", "hosts": hosts, "credentials": KEY}
    assert [one.kind for one in bootstrap.reconcile(journal, **common).left] == ["stop"]
    limits = LiveSettings(gate={"max_order_quote": 9, "max_position_quote": 9})
    for said, words in (
        ({"real_money": True}, "Real money is traded only within limits: gate.max_order_quote and "
                               "gate.max_position_quote are not set."),
        ({"settings": limits}, f"{hosts.rest_url} is real money, and --real-money was not given."),
    ):  # fmt: skip
        with pytest.raises(RecipeError) as caught:
            bootstrap.reconcile(journal, repair=True, **said, **common)
        assert caught.value.message == words
        assert server.desk.venue.protection("BTCUSDT") == (None, None)
    assert bootstrap.reconcile(journal, repair=True, settings=limits, real_money=True, **common).left == ()
    assert server.desk.venue.protection("BTCUSDT") == held


def test_what_the_settings_say_of_foreign_positions_a_repair_does_as_a_start(traded):
    server, run, _ = traded
    command(traded, order("by-hand", side=Side.SELL))
    run(server.step())
    assert len(look(traded, repair=True).left) == 1
    assert look(traded, repair=True, settings=LiveSettings(reconciliation={"foreign": "adopt"})).left == ()


def test_a_journal_of_another_account_is_recognised(traded, tmp_path):
    other = BybitServer([tape()], known=100, costs=COSTS)
    with in_thread(other):
        found = bootstrap.reconcile(tmp_path / "j.db", venue="local", hosts=other.hosts, credentials=KEY)
        kinds = [one.kind for one in found.left]
        assert set(kinds) == {"fill", "position"}
        assert "or the journal is not of this account" in found.left[-1].explanation
        kept = bootstrap.reconcile(tmp_path / "j.db", venue="local", hosts=other.hosts, credentials=KEY, repair=True)
        assert [one.kind for one in kept.left] == kinds
        taken = bootstrap.reconcile(
            tmp_path / "j.db", venue="local", hosts=other.hosts, credentials=KEY, repair=True, adopt=True
        )
        assert {one.kind for one in taken.left} == {"fill"}  # adopted; the fills stay unknown there


def test_nothing_is_repaired_while_a_process_trades(traded, tmp_path):
    writer = Journal.open(tmp_path / "j.db", "demo", owner="the trader")
    writer.lease.acquire()
    with pytest.raises(LeaseError, match="demo is being traded by the trader"):
        look(traded, repair=True)
    assert look(traded).left == ()  # looking is allowed
    writer.close()


def test_what_there_is_to_compare_must_be_in_the_journal(traded, tmp_path):
    with pytest.raises(DataError, match="demo does not trade ETHUSDT"):
        look(traded, symbols=["ETHUSDT"])
    with pytest.raises(JournalError, match="holds no decision of 'other'"):
        look(traded, name="other")


def test_the_command_says_it_in_words_in_json_and_by_its_status(traded, capsys, monkeypatch):
    server, _, journal = traded
    monkeypatch.setenv("BYBIT_API_KEY", "key")
    monkeypatch.setenv("BYBIT_API_SECRET", "secret")
    hosts = server.hosts
    there = ["--venue", "local"]
    for name, address in (("rest", hosts.rest_url), ("public", hosts.public), ("private", hosts.private_url)):
        there += ["--set", f"hosts.{name}={address}"]
    said = call(capsys, ["reconcile", journal, *there, "-q"])
    assert (said.status, said.out) == (0, "demo, BTCUSDT: no difference.\n")
    command(traded, order("by-hand", type=OrderType.LIMIT, limit_price=Decimal(9_000)))
    said = call(capsys, ["reconcile", journal, *there, "-q"])
    assert said.status == 1
    assert said.out.splitlines() == [
        "BTCUSDT order", "  journal: nothing is under way", "  venue:   by-hand, buy 0.01, 0 filled, is open",
        "  Somebody else has placed it.", "  Repair: none; look at the account yourself.",
        "demo, BTCUSDT: 1 difference.",
    ]  # fmt: skip
    said = call(capsys, ["reconcile", journal, *there, "--json"])
    assert (said.status, json.loads(said.out)["agrees"]) == (1, False)
    said = call(capsys, ["reconcile", journal, "--venue", "local", "--adopt"])
    assert "--adopt was given without --repair." in said.error
    asked = ["reconcile", journal, "--venue", "bybit", "--repair", "--set", "gate.max_order_quote=9"]
    said = call(capsys, [*asked, "--real-money"])
    assert "Real money is traded only within limits: gate.max_position_quote is not set." in said.error
    said = call(capsys, [*asked, "--set", "gate.max_position_quote=9"])
    assert "https://api.bybit.com is real money, and --real-money was not given." in said.error


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["rest.timeout_s=soon"], "rest.timeout_s: Input should be a valid number"),
        (["rest.timeouts=3"], "Unknown key 'rest.timeouts'. Did you mean 'timeout_s'?"),
        (["hosts.rest=http://127.0.0.1:1"], "[hosts] gives rest, and public and private are missing."),
    ],
)
def test_settings_that_are_wrong_are_named_before_anything_is_asked(traded, capsys, monkeypatch, given, words):
    _, _, journal = traded
    monkeypatch.setenv("BYBIT_API_KEY", "key")
    monkeypatch.setenv("BYBIT_API_SECRET", "secret")
    said = call(capsys, ["reconcile", journal, "--venue", "local", *(word for one in given for word in ("--set", one))])
    assert said.status != 0
    assert words in " ".join(said.error.split())


def test_settings_of_the_command_reach_the_venues_client(traded, capsys, monkeypatch, tmp_path):
    """A patience of 1 attempt and 0.2 s, half from a file: a venue that is slower cannot be asked, and it says so."""
    server, _, journal = traded
    monkeypatch.setenv("BYBIT_API_KEY", "key")
    monkeypatch.setenv("BYBIT_API_SECRET", "secret")
    settings = tmp_path / "live.toml"
    hosts = server.hosts
    settings.write_text(
        f'[rest]\ntimeout_s = 5\nread_attempts = 1\n[hosts]\nrest = "{hosts.rest_url}"\npublic = "{hosts.public}"\n'
        f'private = "{hosts.private_url}"\n'
    )
    asked = ["reconcile", journal, "--venue", "local", "--settings", settings, "-q"]
    for path in ("/v5/execution/list", "/v5/execution/list"):
        server.faults.add(RestFault(kind="delay", seconds=0.6, path=path))
    said = call(capsys, asked)
    assert (said.status, said.out) == (0, "demo, BTCUSDT: no difference.\n")
    said = call(capsys, [*asked, "--set", "rest.timeout_s=0.2"])
    assert said.status != 0
    assert "GET /v5/execution/list had no answer after 1 attempts" in " ".join(said.error.split())
