import json
import socket
import urllib.request

import pytest

from triptych.bootstrap.controlling import Control, heard_from_the_start
from triptych.domain.errors import RecipeError
from triptych.live.journal import Switch, SwitchMarker

TOKEN = "sixteen-letters-or-more"


@pytest.fixture
def taken():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one


def test_an_address_that_another_has_leaves_the_start_as_it_was_and_is_told(taken, tmp_path):
    """A standby on the machine of the session that it waits for, with the same options."""
    told, port = [], taken.getsockname()[1]
    with heard_from_the_start(Control(port=port, token=TOKEN), tmp_path / "j.db", "house", told.append) as control:
        assert control.port == port
    (text,) = told
    assert text.startswith(f"The session cannot be served on 127.0.0.1:{port}: ")
    assert text.endswith("Until the session has it, `triptych kill --journal` is what it hears.")


def test_the_address_is_free_afterwards_whatever_the_start_came_to(taken, tmp_path):
    port = taken.getsockname()[1]
    taken.close()

    def start():
        with heard_from_the_start(Control(port=port, token=TOKEN), tmp_path / "j.db", "house", print):
            said = json.dumps({"switch": "killed", "confirm": "house"}).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/switch", data=said, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.loads(answer.read())["switch"] == "killed"
            raise RecipeError("The model cannot be loaded.")

    with pytest.raises(RecipeError):
        start()
    assert SwitchMarker.of(tmp_path / "j.db", "house").kept().switch is Switch.KILLED
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.parametrize("control", [None, Control(port=0, token=TOKEN)])
def test_without_an_address_of_its_own_nothing_listens(control, tmp_path):
    with heard_from_the_start(control, tmp_path / "j.db", "house", print) as found:
        assert found is control
