import io
import json
import os
import signal
import socket
import threading
import time
import urllib.request
from contextlib import nullcontext
from decimal import Decimal

import pytest
from tests.fakes.postgres import postgres_binaries, postgres_server
from tests.fakes.served import in_thread

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.controlling import Control
from triptych.bootstrap.serving import tape_for_serving
from triptych.bootstrap.venues import hosts_of
from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.simulated.server import BybitServer, RestFault
from triptych.live.journal import Journal, OrderAnswered, StepRecorded
from triptych.market.frames import to_panel
from triptych.settings.live import LiveSettings, load_live_settings

SECRET = "open-sesame-98765"


@pytest.mark.parametrize(
    ("overrides", "real_money", "words"),
    [
        ([], True, "Real money is traded only within limits: gate.max_order_quote and gate.max_position_quote are not"),
        (["gate.max_order_quote=9"], True, "gate.max_position_quote is not set"),
        (["gate.max_order_quote=9", "gate.max_position_quote=9"], False, "--real-money was not given"),
    ],
)
def test_real_money_takes_limits_and_consent(tmp_path, overrides, real_money, words):
    with pytest.raises(RecipeError, match=words):
        bootstrap.trade_on_bybit(
            [tmp_path], venue="bybit", settings=load_live_settings(overrides=overrides), journal=tmp_path / "j.db",
            real_money=real_money,
        )  # fmt: skip


@pytest.mark.parametrize("venue", ["local", "bybit-demo", "bybit-testnet"])
@pytest.mark.parametrize(
    "rest", ["https://api.bybit.com", "https://api.bybit.eu", "https://api.bybit.nl", "https://api.bytick.com"]
)
def test_no_name_of_a_venue_stands_in_for_consent_when_its_addresses_are_those_of_real_money(tmp_path, venue, rest):
    """The address that is talked to decides; limits and flag are asked for before anything is sent."""
    hosts = [f"hosts.rest={rest}", "hosts.public=wss://stream.bybit.com/v5/public",
             "hosts.private=wss://stream.bybit.com/v5/private"]  # fmt: skip
    limits = ["gate.max_order_quote=9", "gate.max_position_quote=9"]
    for overrides, said, words in (
        (hosts, True, "Real money is traded only within limits: gate.max_order_quote and gate.max_position_quote are "
                      "not set."),
        ([*hosts, *limits], False, f"{rest} is real money, and --real-money was not given."),
    ):  # fmt: skip
        common = {"venue": venue, "settings": load_live_settings(overrides=overrides), "real_money": said}
        with pytest.raises(RecipeError) as caught:
            bootstrap.trade_on_bybit([tmp_path], journal=tmp_path / "j.db", **common)
        assert caught.value.message == words
        with pytest.raises(RecipeError) as caught:
            bootstrap.settle_first(tmp_path / "j.db", **common)
        assert caught.value.message == words


def step_and_stop(server, run, journal, streams):
    """Once all streams have subscribed let 40 candles close; when the last was decided on, Ctrl-C."""

    def until(condition):
        end = time.monotonic() + 60
        while time.monotonic() < end and not condition():
            time.sleep(0.02)

    def is_decided():
        reader = Journal.read(journal, "micro")
        last = reader.last(StepRecorded)
        reader.close()
        return last is not None and last.record.close_ms >= server.tape.now_ms

    until(lambda: len(server._sessions.open) >= streams and all(one.topics for one in server._sessions.open))
    for _ in range(40):
        run(server.step())
        time.sleep(0.05)
    until(is_decided)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_trained_run_trades_on_the_served_exchange_until_it_is_told_to_stop(trained, tmp_path):
    """Over real sockets; the key's secret stands in no file and no log afterwards."""
    (series,) = load_candles(open_run(trained).recipe).series
    panel = tmp_path / "tape.parquet"
    to_panel([series]).write_parquet(panel)
    tape = tape_for_serving(panel, ())
    server = BybitServer(tape, known=900, capital=Decimal(10_000), keys={"served-key": SECRET})
    log = io.StringIO()

    with in_thread(server) as run:
        stepping = threading.Thread(target=step_and_stop, args=(server, run, tmp_path / "j.db", 2))
        stepping.start()
        outcome = bootstrap.trade_on_bybit(
            [trained], venue="local", symbols=[tape[0].symbol], journal=tmp_path / "j.db", log=log,
            settings=load_live_settings(overrides=["name=micro", "capital=10000", "model_deadline_seconds=60"]),
            hosts=server.hosts, credentials=Credentials(key="served-key", secret=SECRET),
        )  # fmt: skip
        stepping.join()
        held = server.desk.venue.position(tape[0].symbol).quantity

    assert outcome.decisions > 20
    assert outcome.fills > 0
    assert Decimal(outcome.positions[tape[0].symbol]) == held
    reader = Journal.read(tmp_path / "j.db", "micro")
    answers = [entry.record.outcome for entry in reader.entries(kinds=(OrderAnswered,))]
    assert set(answers) == {"accepted"}
    assert len(list(reader.entries(kinds=(StepRecorded,)))) >= outcome.decisions
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert SECRET not in log.getvalue() + json.dumps(outcome.to_dict())


@pytest.mark.parametrize("kind", ["a file", "postgresql"])
def test_paper_on_the_candles_of_a_venue_needs_no_key_and_leaves_the_venue_alone(trained, tmp_path, kind):
    if kind == "postgresql" and postgres_binaries() is None:
        pytest.skip("no PostgreSQL server is installed")
    with nullcontext("") if kind == "a file" else postgres_server() as address:
        journal = address.replace("postgresql://", "postgresql+psycopg://", 1) or tmp_path / "j.db"
        trade_the_candles_of_a_venue_on_paper(trained, tmp_path, journal)


def trade_the_candles_of_a_venue_on_paper(trained, tmp_path, journal):
    (series,) = load_candles(open_run(trained).recipe).series
    panel = tmp_path / "tape.parquet"
    to_panel([series]).write_parquet(panel)
    tape = tape_for_serving(panel, ())
    server = BybitServer(tape, known=900)
    with in_thread(server) as run:
        stepping = threading.Thread(target=step_and_stop, args=(server, run, journal, 1))
        stepping.start()
        outcome = bootstrap.trade_on_paper_at(
            [trained], venue="local", symbols=[tape[0].symbol], journal=journal, hosts=server.hosts,
            settings=load_live_settings(overrides=["name=micro", "capital=10000", "model_deadline_seconds=60"]),
        )  # fmt: skip
        stepping.join()
        assert not server.desk.orders
    assert outcome.decisions > 20
    assert outcome.fills > 0
    assert Decimal(outcome.positions[tape[0].symbol]) != 0 or outcome.fills % 2 == 0


def test_half_of_the_addresses_is_an_error_and_none_takes_those_of_the_venue():
    with pytest.raises(RecipeError) as caught:
        hosts_of(
            LiveSettings(hosts=HostConfig(rest="http://127.0.0.1:1", public="ws://127.0.0.1:1/v5/public")), "local"
        )
    assert caught.value.message == "[hosts] gives rest, public, and private is missing."
    assert hosts_of(LiveSettings(), "bybit-demo").rest_url == "https://api-demo.bybit.com"


def test_a_kill_is_heard_while_the_session_is_still_starting(trained, tmp_path):
    """Candles are fetched and the venue is asked for ever: the switch works all the same."""
    (series,) = load_candles(open_run(trained).recipe).series
    panel = tmp_path / "tape.parquet"
    to_panel([series]).write_parquet(panel)
    tape = tape_for_serving(panel, ())
    server = BybitServer(tape, known=900, keys={"served-key": SECRET})
    server.faults.add(RestFault(kind="hang", path="/v5/execution/list", times=1_000))
    answers, token = [], "sixteen-letters-or-more"

    def beside(url):
        def act():
            said = json.dumps({"switch": "killed", "confirm": "micro", "reason": "smoke"}).encode()
            request = urllib.request.Request(
                url + "/api/switch", data=said, headers={"Authorization": f"Bearer {token}"}
            )
            time.sleep(1)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answers.append(json.loads(answer.read()))
            finally:
                server.faults.clear()
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=act).start()
        return lambda: None

    with in_thread(server):
        bootstrap.trade_on_bybit(
            [trained], venue="local", symbols=[tape[0].symbol], journal=tmp_path / "j.db", hosts=server.hosts,
            settings=load_live_settings(overrides=["name=micro"]), control=Control(token=token, beside=beside),
            credentials=Credentials(key="served-key", secret=SECRET),
        )  # fmt: skip
    assert [one["switch"] for one in answers] == ["killed"]
    assert Journal.read(tmp_path / "j.db", "micro").switch().switch == "killed"


def test_a_kill_before_any_model_is_loaded_is_what_the_session_begins_with(trained, tmp_path):
    """Its address listens before there is a session, is handed over, and the switch stands in the journal."""
    (series,) = load_candles(open_run(trained).recipe).series
    panel = tmp_path / "tape.parquet"
    to_panel([series]).write_parquet(panel)
    tape = tape_for_serving(panel, ())
    server = BybitServer(tape, known=900, keys={"served-key": SECRET})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    token, told, states = "sixteen-letters-or-more", [], []
    signed = {"Authorization": f"Bearer {token}"}

    def ask(path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=signed)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def beside(_url):
        def act():
            try:
                end = time.monotonic() + 30
                while not states or (states[-1]["switch"]["state"] != "killed" and time.monotonic() < end):
                    states.append(ask("/api/session"))
                    time.sleep(0.1)
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=act).start()
        return lambda: None

    opened = Control(port=port, token=token, beside=beside)
    with in_thread(server), bootstrap.heard_from_the_start(opened, tmp_path / "j.db", "micro", told.append) as control:
        said = json.dumps({"switch": "killed", "confirm": "micro", "reason": "smoke"}).encode()
        assert ask("/api/switch", said)["closed"] is False
        bootstrap.trade_on_bybit(
            [trained], venue="local", symbols=[tape[0].symbol], journal=tmp_path / "j.db", hosts=server.hosts,
            settings=load_live_settings(overrides=["name=micro"]), control=control,
            credentials=Credentials(key="served-key", secret=SECRET),
        )  # fmt: skip
    assert told == []
    assert states[-1]["switch"]["state"] == "killed"
    assert Journal.read(tmp_path / "j.db", "micro").switch().reason == "smoke"
    assert not list(tmp_path.glob("*.switch"))
