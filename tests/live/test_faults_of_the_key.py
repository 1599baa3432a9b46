"""The venue refuses the key, or shuts the account out: a whole house over real sockets."""

import asyncio

import pytest
from tests.live.wired import BTC, play

from triptych.domain.errors import AuthenticationRefused, Banned
from triptych.exchanges.simulated.server import RestFault
from triptych.live.journal import Switch

LEFT = 1_000


def refuse_everything(scene, code):
    """Every signed question and command."""
    for path in ("/v5/order", "/v5/execution", "/v5/position"):
        scene.server.faults.add(RestFault(kind="refuse", path=path, code=code, times=LEFT))


def asked(scene):
    return sum(LEFT - left for _, left in scene.server.faults._rest)


@pytest.mark.parametrize(
    ("code", "kind"), [(10003, AuthenticationRefused), (10010, AuthenticationRefused), (10024, Banned)]
)
def test_a_refused_key_ends_the_session(tmp_path, code, kind):
    scenes = []

    async def act(scene):
        scenes.append(scene)
        scene.wish.says = 1
        await scene.close(2)
        stop = scene.server.desk.venue.protection(BTC)
        refuse_everything(scene, code)
        await scene.server.step()
        await scene.until(lambda: "venue" in scene.trader.reasons())
        await scene.server.step(2)
        await asyncio.sleep(0.5)
        assert asked(scene) == 1
        assert scene.server.desk.venue.protection(BTC) == stop
        assert not scene.trader.is_ready

    reason = f"Bybit refused GET /v5/execution/list: fault: refuse (code {code})."
    with pytest.raises(kind) as caught:
        play(tmp_path, act)
    assert caught.value.message == reason
    assert scenes[0].told("refused") == [f"{reason} The session ends; stops lie at the venue."]


def test_a_kill_with_a_refused_key_ends_the_session(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        refuse_everything(scene, 10003)
        done = await scene.trader.turn(Switch.KILLED, by="anna", reason="test")
        text = (
            "the venue cannot be asked for positions: Bybit refused GET /v5/position/list: fault: refuse (code 10003)."
        )
        assert done.problems == (text,)
        await asyncio.sleep(2.5)
        assert asked(scene) <= 2

    with pytest.raises(AuthenticationRefused):
        play(tmp_path, act)
