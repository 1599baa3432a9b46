"""The rows of the fault table that are about streams: a whole house over real sockets."""

import asyncio
import itertools

import pytest
from tests.live.wired import BTC, SILENCE_S, play

from triptych.exchanges.simulated.server import StreamFaults


async def break_stream(scene, which, how):
    """Break one of the two streams; the other goes on."""
    proxy = scene.proxies[which]
    sessions = [one for one in scene.server._sessions.open if one.kind == which]
    if how == "close":
        proxy.refuses = True
        await sessions[0].socket.close(code=1001, message=b"going away")
    elif how == "reset":
        proxy.refuses = True
        proxy.reset()
    elif how == "black hole":
        proxy.swallows = True
    else:
        sessions[0].is_frozen = True
        proxy.refuses = True


async def heal(scene, which):
    """Let it work again, and wait for a new connection that has subscribed."""
    proxy, sessions, before = scene.proxies[which], scene.server._sessions, scene.server._sessions._count
    was_swallowing, proxy.swallows, proxy.refuses = proxy.swallows, False, False
    if was_swallowing:
        proxy.reset()
    await scene.until(
        lambda: any(
            one.kind == which and one.topics and int(one.identifier.partition("-")[2]) > before for one in sessions.open
        )
    )


@pytest.mark.parametrize("which", ["public", "private"])
def test_a_subscription_refused_for_a_passing_reason_costs_the_connection_and_not_the_session(tmp_path, which):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        sessions, refusals = scene.server._sessions, []
        granted = sessions._ack

        def busy(session, asked, success, text):
            answer = granted(session, asked, success, text)
            if session.kind == which and asked["op"] == "subscribe" and len(refusals) < 2:
                answer.update(success=False, ret_msg="System busy, please try again later")
                refusals.append(session)
            return answer

        sessions._ack = busy
        await sessions.cut()
        await scene.until(lambda: len(refusals) == 2)
        await scene.until(  # the refused ones are held to have subscribed until the house hangs up
            lambda: any(one.kind == which and one.topics and one not in refusals for one in sessions.open)
        )
        await scene.until(lambda: not scene.trader.reasons())
        scene.wish.says = 0
        await scene.close(2)
        assert scene.held() == (0, 0)

    play(tmp_path, act)


HOW = ["close", "reset", "black hole", "half-open"]


@pytest.mark.parametrize("how", HOW)
def test_public_stream_drop(tmp_path, how):
    """Noticed within heartbeat and grace; no decision meanwhile; the gap comes from REST; then decisions again."""

    async def act(scene):
        await scene.close(3)
        decided = scene.house.runner.decisions
        await break_stream(scene, "public", how)
        noticed_s = await scene.until(lambda: scene.told("stream"))
        assert noticed_s < SILENCE_S + 1.0
        await scene.server.step(5)  # nobody hears these
        await asyncio.sleep(0.3)
        assert scene.house.runner.decisions == decided
        await heal(scene, "public")
        await scene.close()
        return [step.close_ms for step in scene.steps()], scene.house.engine.history(BTC, 3), scene.server.tape, (
            scene.house.runner.feed.repaired
        )  # fmt: skip

    closes, seen, tape, repaired = play(tmp_path, act)
    # Four closes decided on, five observed only, one decided on.
    assert [(b - a) // 60_000 for a, b in itertools.pairwise(closes)] == [1, 1, 1, 6]
    assert repaired == 5
    history = tape.candles(BTC, tape.timeframe, None, None, 3)
    assert [seen.candle(row) for row in range(3)] == history[::-1]


@pytest.mark.parametrize("how", HOW)
def test_private_stream_drop(tmp_path, how):
    """Noticed within heartbeat and grace; closing only; fills are polled; entries again once all is told anew."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)  # decided, filled
        assert scene.held()[1] > 0
        await break_stream(scene, "private", how)
        noticed_s = await scene.until(lambda: "messages" in scene.trader.reasons())
        assert noticed_s < SILENCE_S + 1.0
        scene.wish.says = -1
        before = len(scene.sent())
        await scene.close()
        # The turn from long to short: its closing half leaves, its opening half does not.
        assert len(scene.sent()) == before + 1
        assert "the private stream is down: nothing is opened" in scene.denials()[-1]
        await scene.close(3)
        assert scene.held() == (0, 0)  # the fill was asked for
        assert len(scene.sent()) == before + 1
        await heal(scene, "private")
        await scene.until(lambda: not scene.trader.reasons())
        await scene.close(2)
        ours, theirs = scene.held()
        assert ours == theirs < 0

    play(tmp_path, act)


@pytest.mark.parametrize("seed", range(2))
def test_lost_doubled_and_reordered_messages(tmp_path, seed):
    """Whatever the streams lose, double and swap: books and venue are of one mind, every fill counts once."""

    async def act(scene):
        scene.server.faults.stream = StreamFaults(lose=0.2, double=0.3, swap=0.3)
        for n in range(20):
            scene.wish.says = 1 if n % 4 < 2 else -1
            await scene.server.step()
            await asyncio.sleep(0.08)
        scene.server.faults.stream = StreamFaults()
        await scene.close(2)
        await scene.trader.reconcile()
        ours, theirs = scene.held()
        assert ours == theirs
        assert scene.trader.reasons() == {}
        fees = sum(float(row["execFee"]) for row in scene.server.desk.executions)
        assert float(scene.house.engine.portfolio.fees) == pytest.approx(fees)
        assert len(scene.server.desk.executions) > 4
        closes = [step.close_ms for step in scene.steps()]
        assert closes == sorted(set(closes))

    play(tmp_path, act, seed=seed)
