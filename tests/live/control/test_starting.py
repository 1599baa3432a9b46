"""The control server of a start, over real sockets."""

import asyncio
import socket

import pytest

from triptych.domain.errors import StorageError
from triptych.live.control import Access, SessionClient, SessionError, StartingServer
from triptych.live.control.starting import STARTING
from triptych.live.journal import Switch, SwitchMarker

TOKEN = "sixteen-letters-or-more"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def served(tmp_path):
    marker, port = SwitchMarker.of(tmp_path / "live.db", "house"), free_port()
    server = StartingServer("house", marker, Access(host="127.0.0.1", token=TOKEN), port)
    server.start()
    yield marker, port, server
    server.stop()


def ask(port, act, token=TOKEN):
    async def asking():
        async with SessionClient(f"http://127.0.0.1:{port}", token) as client:
            return await act(client)

    return asyncio.run(asking())


def test_a_kill_is_on_the_disk_before_it_is_answered(served):
    marker, port, _ = served
    assert ask(port, lambda client: client.named())["name"] == "house"
    said = ask(port, lambda client: client.turn("killed", confirm="house", reason="smoke", by="anna"))
    assert said == {"switch": "killed", "closed": False, "pending": [STARTING], "problems": [], "orders": []}
    assert (marker.kept().switch, marker.kept().by, marker.kept().reason) == (Switch.KILLED, "anna", "smoke")


@pytest.mark.parametrize(
    ("switch", "confirm", "token", "words"),
    [
        ("killed", "mouse", TOKEN, "Not confirmed: confirm must be the name of the instance, house."),
        ("killed", "house", "another-token-of-sixteen", "The token is missing or wrong."),
        ("run", "house", TOKEN, "The session is starting. Its switch is set back once it runs."),
    ],
)
def test_nothing_is_written_for_another_name_or_token_or_wish(served, switch, confirm, token, words):
    marker, port, _ = served
    with pytest.raises(SessionError) as caught:
        ask(port, lambda client: client.turn(switch, confirm=confirm, reason=""), token)
    assert caught.value.message == words
    assert marker.kept() is None


def test_everything_else_is_not_there_yet(served):
    _, port, _ = served
    with pytest.raises(SessionError, match="The session is starting") as caught:
        ask(port, lambda client: client.state())
    assert caught.value.status == 503


def test_its_address_is_free_once_it_has_stopped_and_it_may_begin_again(served):
    _, port, server = served
    other = StartingServer("house", server._marker, Access(host="127.0.0.1", token=TOKEN), port)
    with pytest.raises(StorageError, match=f"The session cannot be served on 127.0.0.1:{port}: "):
        other.start()
    server.stop()
    other.start()
    assert ask(port, lambda client: client.named())["name"] == "house"
    other.stop()
    server.start()
