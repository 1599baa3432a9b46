"""`triptych kill` against a control server over real sockets."""

import asyncio
import json
import socket

import pytest
from tests.live.control.test_server import TOKEN, served

from triptych.live.journal import Journal, NoteWritten, Switch


def kill(run_command, port, *more):
    return asyncio.to_thread(run_command, "kill", "--session", f"http://127.0.0.1:{port}", *more)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_TOKEN", TOKEN)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # the token must go nowhere else


def test_the_session_is_killed_under_its_name_and_the_journal_says_by_whom(run_command, tmp_path, token):
    async def act():
        async with served(tmp_path) as (house, _, port):
            said = await kill(run_command, port, "--confirm", "house", "--reason", "smoke", "--wait", "0", "--json")
            assert house.trader.switch is Switch.KILLED
            return said, house.journal.switch()

    said, switch = asyncio.run(act())
    found = json.loads(said.out)
    assert found["switch"] == "killed"
    assert said.status == (0 if found["closed"] else 1)
    assert (switch.by, switch.reason) == ("the command line", "smoke")


def test_another_name_or_another_token_does_nothing(run_command, tmp_path, token, monkeypatch):
    async def act():
        async with served(tmp_path) as (house, _, port):
            name = await kill(run_command, port, "--confirm", "mouse", "--wait", "0")
            monkeypatch.setenv("TRIPTYCH_TOKEN", "another-token-of-sixteen")
            wrong = await kill(run_command, port, "--confirm", "house", "--wait", "0")
            monkeypatch.delenv("TRIPTYCH_TOKEN")
            none = await kill(run_command, port, "--confirm", "house", "--wait", "0")
            assert house.trader.switch is Switch.RUN
            return name, wrong, none

    name, wrong, none = asyncio.run(act())
    assert "Not confirmed: confirm must be the name of the instance, house." in name.err
    assert "The token is missing or wrong." in wrong.err
    assert "There is no token for the session." in none.err
    assert {one.status for one in (name, wrong, none)} == {2}


def test_a_session_that_is_just_starting_is_waited_for(run_command, tmp_path, token):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def act():
        killing = asyncio.create_task(kill(run_command, port, "--confirm", "house", "--wait", "5"))
        await asyncio.sleep(0.7)
        async with served(tmp_path, count=0, port=port) as (house, _, _):
            await killing
            return house.trader.switch

    assert asyncio.run(act()) is Switch.KILLED


def test_where_nobody_listens_the_remedy_is_told(run_command, token):
    said = run_command("kill", "--session", "http://127.0.0.1:9", "--confirm", "house", "--wait", "0")
    assert said.status == 2
    assert "The session at http://127.0.0.1:9 does not answer." in said.err
    assert "close by hand at the venue, and take the key away." in said.err


def test_the_token_does_not_travel_readable_over_a_network(run_command, token):
    said = run_command("kill", "--session", "http://house.example:9100", "--confirm", "house", "--wait", "0")
    assert said.status == 2
    assert "http://house.example:9100 would carry the token readable over a network." in said.err


@pytest.fixture
def journal(tmp_path):
    """Of the instance "house", which is not traded."""
    found = Journal.open(tmp_path / "live.db", "house", owner="the house")
    found.lease.acquire()
    found.append(NoteWritten(topic="test", text="it was traded"))
    found.lease.release()
    yield found
    found.close()


def test_beside_a_journal_a_kill_needs_no_session_and_no_token(run_command, journal, tmp_path):
    said = run_command("kill", "--journal", tmp_path / "live.db", "--confirm", "house", "--reason", "smoke")
    assert said.status == 1
    assert said.out == (
        f"Nobody trades house now: the kill is written into {tmp_path / 'live.db-house.switch'}, and is what the next "
        "start begins with.\n"
    )
    kept = journal.marker.kept()
    assert (kept.switch, kept.reason) == (Switch.KILLED, "smoke")
    assert kept.by.startswith("the command line, beside the journal, at 20")


def test_beside_a_journal_that_is_not_there_or_of_another_instance_nothing_is_killed(run_command, journal, tmp_path):
    said = run_command("kill", "--journal", tmp_path / "nosuch.db", "--confirm", "house")
    assert said.status == 2
    assert f"There is no journal {tmp_path / 'nosuch.db'}." in said.err
    said = run_command("kill", "--journal", tmp_path / "live.db", "--confirm", "mouse")
    assert said.status == 2
    assert f"{tmp_path / 'live.db'} holds no instance 'mouse': nothing was killed." in said.err
    assert "It holds house." in said.err
    assert list(tmp_path.glob("*.switch")) == []


def test_a_session_that_hears_it_is_told_apart_from_one_that_does_not(run_command, journal, tmp_path):
    journal.lease.acquire()
    command = ("kill", "--journal", tmp_path / "live.db", "--confirm", "house", "--json", "--wait")
    deaf = run_command(*command, "0.1")
    assert deaf.status == 1
    found = json.loads(deaf.out)
    assert (found["heard"], found["closed"]) == (False, False)
    assert found["pending"][0].startswith("NOT HEARD: the house (process ")

    journal.marker.forget()

    async def act():
        asked = asyncio.create_task(asyncio.to_thread(run_command, *command, "20"))
        while journal.marker.kept() is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        journal.append(journal.marker.kept())  # as a session does
        return await asked

    heard = asyncio.run(act())
    assert heard.status == 1
    assert json.loads(heard.out)["heard"] is True
    assert json.loads(heard.out)["pending"] == ["Killed house: the session has heard it. See what it holds."]
