"""What a start settles with the venue before any model is loaded, over real sockets."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest
from tests.fakes.served import gateway_on

from triptych import bootstrap
from triptych.domain.errors import ExchangeError, JournalError, LeaseError, RateLimited, RecipeError
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.simulated.server import RestFault
from triptych.live.journal import (
    AccountNamed,
    Journal,
    StepRecorded,
    Switch,
    SwitchMarker,
    SwitchSet,
    keep_lockout,
    kept_lockout,
)
from triptych.settings.live import LiveSettings

KEY = Credentials(key="key", secret="secret")


def settle(server, journal, tell=lambda _text: None, **settings):
    settings = LiveSettings(name="demo", **settings)
    return bootstrap.settle_first(
        journal, venue="local", settings=settings, hosts=server.hosts, credentials=KEY, tell=tell
    )


def test_a_stop_that_is_gone_is_set_again_and_the_position_is_told(traded):
    server, _, journal = traded
    stop, _ = server.desk.venue.protection("BTCUSDT")
    held = server.desk.venue.position("BTCUSDT").quantity

    async def take_away():
        async with gateway_on(server) as gateway:
            await gateway.protect("BTCUSDT", stop_loss=None, take_profit=None)

    asyncio.run(take_away())
    said = []
    found = settle(server, journal, said.append)
    assert found["BTCUSDT"].is_settled
    assert server.desk.venue.protection("BTCUSDT")[0] == stop
    assert said == [
        f"BTCUSDT: the position's stop {stop} is gone: set again",
        f"Reconciled with the venue: {held.normalize():f} BTCUSDT. The models are loaded next.",
    ]
    # The right to write was given back: the house that follows takes it.
    writer = Journal.open(journal, "demo", owner="the house")
    writer.lease.acquire()
    with pytest.raises(LeaseError, match="demo is being traded by the house"):
        settle(server, journal)
    writer.close()


def test_the_fill_of_a_stop_that_was_moved_and_that_nobody_heard_of_is_entered(traded):
    server, run, journal = traded
    run(server.step())
    server.desk.venue.protect("BTCUSDT", stop_loss=server.desk.venue.mark("BTCUSDT"), take_profit=None)
    while server.desk.venue.position("BTCUSDT").quantity:
        run(server.step())
    said = []
    assert settle(server, journal, said.append)["BTCUSDT"].is_settled
    assert said[-1] == "Reconciled with the venue: 0 BTCUSDT. The models are loaded next."


def test_an_instrument_that_is_flat_and_not_listed_any_more_is_left_out(traded):
    """The journal knows it for ever: a start without it, and every look, must go on with the others."""
    server, _, journal = traded
    writer = Journal.open(journal, "demo", owner="an earlier session")
    writer.lease.acquire()
    step = writer.last(StepRecorded).record
    desks = (*step.state.desks, replace(step.state.desks[0], symbol="XYZUSDT", orders=()))
    writer.append(replace(step, close_ms=step.close_ms + 60_000, state=replace(step.state, desks=desks)))
    writer.lease.release()
    writer.close()
    left_out = "XYZUSDT is not listed at the venue any more, and the journal holds nothing of it: it is left out."
    said = []
    found = settle(server, journal, said.append)
    assert list(found) == ["BTCUSDT"]
    assert found["BTCUSDT"].is_settled
    assert said[0] == left_out
    alone = LiveSettings(name="demo", reconciliation={"rival_minutes": 0})
    for repair in (False, True):
        said = []
        compared = bootstrap.reconcile(
            journal, venue="local", hosts=server.hosts, credentials=KEY, settings=alone, repair=repair, tell=said.append
        )
        assert (compared.symbols, compared.left) == (("BTCUSDT",), ())
        assert said[0] == left_out


def test_without_a_decision_in_the_journal_nothing_is_asked(traded, tmp_path):
    server, _, journal = traded
    server.faults.add(RestFault(kind="http_status", code=500, times=10_000))
    assert settle(server, tmp_path / "new.db") == {}
    assert not (tmp_path / "new.db").exists()
    settings = LiveSettings(name="another")
    assert bootstrap.settle_first(journal, venue="local", settings=settings, hosts=server.hosts, credentials=KEY) == {}


def test_a_venue_that_cannot_be_asked_ends_the_start(traded):
    server, _, journal = traded
    server.faults.add(RestFault(kind="http_status", code=500, times=10_000))
    with pytest.raises(ExchangeError, match="had no answer after 1 attempts"):
        settle(server, journal, rest={"read_attempts": 1})


def test_real_money_takes_consent_before_a_stop_is_touched(traded):
    _, _, journal = traded
    with pytest.raises(RecipeError, match="Real money is traded only within limits"):
        bootstrap.settle_first(journal, venue="bybit", settings=LiveSettings(name="demo"), credentials=KEY)


@pytest.mark.parametrize("other", [AccountNamed(world="paper"), AccountNamed(world="simulated", account="2")])
def test_the_journal_of_another_account_is_refused_before_anything_is_touched(traded, other):
    server, _, journal = traded
    writer = Journal.open(journal, "demo", owner="an earlier session")
    writer.lease.acquire()
    writer.append(other)
    writer.lease.release()
    writer.close()
    protected = server.desk.venue.protection("BTCUSDT")
    with pytest.raises(JournalError, match="and this start is on the simulated exchange, account 1"):
        settle(server, journal)
    with pytest.raises(JournalError, match="and this start is on the simulated exchange, account 1"):
        bootstrap.reconcile(journal, venue="local", hosts=server.hosts, credentials=KEY, repair=True)
    assert server.desk.venue.protection("BTCUSDT") == protected


def test_a_lock_out_is_remembered_by_the_next_start_which_asks_nothing_before_its_end(traded):
    server, _, journal = traded
    host = server.hosts.rest_url.removeprefix("http://")
    server.faults.add(RestFault(kind="http_status", code=403, times=10_000))
    with pytest.raises(RateLimited, match="was answered with HTTP 403: this address is locked out"):
        settle(server, journal)
    until_ms, ((_, left),) = kept_lockout(journal, host), server.faults._rest
    for start in (settle, settle, lambda *given: bootstrap.reconcile(
        journal, venue="local", hosts=server.hosts, credentials=KEY,
    )):  # fmt: skip
        with pytest.raises(RateLimited, match="was not sent: the venue has locked this address out, nothing is sent"):
            start(server, journal)
    assert [one for _, one in server.faults._rest] == [left]
    assert kept_lockout(journal, host) == until_ms
    server.faults._rest.clear()
    keep_lockout(journal, host, 1)
    assert settle(server, journal)["BTCUSDT"].is_settled


def kill(journal):
    said = SwitchSet(switch=Switch.KILLED, by="anna", reason="smoke")
    SwitchMarker.of(journal, "demo").keep(said)


def test_after_a_kill_nothing_is_settled_first(traded):
    server, _, journal = traded
    server.faults.add(RestFault(kind="http_status", code=500, times=10_000))
    kill(journal)
    assert settle(server, journal) == {}


def test_a_kill_while_the_venue_does_not_answer_cuts_the_settling_short(traded):
    server, _, journal = traded
    server.faults.add(RestFault(kind="hang", path="/v5/execution/list", times=10_000))
    threading.Timer(1.0, kill, [journal]).start()
    said, started = [], time.monotonic()
    assert settle(server, journal, said.append, rest={"timeout_s": 60}) == {}
    assert time.monotonic() - started < 30
    assert said == ["The reconciliation was cut short: trading was killed."]
    # The lease was given back, and the kill still lies there for the session.
    Journal.open(journal, "demo", owner="the house").lease.acquire()
    assert SwitchMarker.of(journal, "demo").kept().by == "anna"
