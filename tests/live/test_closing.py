"""The kill switch, over real sockets: everything is closed, by what the venue says, and tried until it is."""

import asyncio
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.served import gateway_on
from tests.live.wired import BTC, PATIENCE, full_disk, play

from triptych.bootstrap.session import _require_written
from triptych.bootstrap.voice import voice_of
from triptych.domain import OrderFilled, SystemClock
from triptych.domain.errors import JournalError
from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.simulated.server import RestFault
from triptych.live.books import Books
from triptych.live.journal import NoteWritten, OrderAnswered, Switch, SwitchSet
from triptych.live.monitoring import open_log
from triptych.settings.live import LiveSettings

CREATE = "/v5/order/create"
PATIENT = replace(PATIENCE, rest=RestConfig(timeout_s=30, receive_window_ms=2000, back_off_s=0.02))


async def long(scene):
    scene.wish.says = 1
    await scene.close(2)
    ours, theirs = scene.held()
    assert ours == theirs > 0
    return ours


async def kill(scene):
    return await scene.trader.turn(Switch.KILLED, by="anna", reason="smoke")


def fill_up(scene):
    """The last page has room for small records."""
    while not scene.trader.books.kept_aside:
        scene.trader.books.write(NoteWritten(topic="filler", text="x" * 200))


async def flat(scene):
    """The venue fills at its next candle; then it says so."""
    await scene.server.step()
    await scene.until(lambda: scene.trader.closure is not None and scene.trader.closure.closed)
    await scene.until(lambda: scene.held() == (0, 0))


@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_a_close_that_is_refused_or_lost_is_sent_again_without_a_candle(tmp_path, kind):
    async def act(scene):
        held = await long(scene)
        before = len(scene.sent())
        fault = {"kind": "refuse", "code": 110007} if kind == "refused" else {"kind": "lose_request"}
        scene.server.faults.add(RestFault(path=CREATE, times=2, **fault))
        done = await kill(scene)
        assert not done.closed
        assert done.pending == (f"{BTC}: the venue holds {held}",)
        words = "was refused" if kind == "refused" else "got no answer"
        assert any(text.startswith(f"{BTC}: the closing order {words}: ") for text in done.problems)
        await scene.until(lambda: len(scene.sent()) > before)
        await flat(scene)
        assert len(scene.sent()) == before + 1

    play(tmp_path, act)


def test_a_kill_does_not_wait_for_a_reconciliation_that_hangs(tmp_path):
    async def act(scene):
        await long(scene)
        before = len(scene.sent())
        scene.server.faults.add(RestFault(kind="delay", seconds=25, path="/v5/execution/list", times=100))
        hanging = asyncio.create_task(scene.trader.reconcile())
        await scene.until(lambda: scene.trader._cuttable.is_waiting)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            done = await kill(scene)
        assert scene.house.journal.switch().switch is Switch.KILLED
        assert not done.problems
        assert len(scene.sent()) == before + 1
        assert await hanging is False
        reason = scene.trader.standings[BTC].reason
        assert "trading was killed" in reason
        scene.server.faults.clear()
        await flat(scene)

    play(tmp_path, act, patience=PATIENT)


@pytest.mark.parametrize("side", ["Buy", "Sell"])
def test_a_position_that_the_books_do_not_know_is_closed_and_nothing_stays_frozen(tmp_path, side):
    async def act(scene):
        async with gateway_on(scene.server) as human:
            body = {"category": "linear", "symbol": BTC, "side": side, "orderType": "Market", "qty": "0.02"}
            await human._rest.post(CREATE, body)
        await scene.close()
        await scene.until(lambda: "our fills make 0" in scene.trader.standings[BTC].reason)
        assert abs(scene.held()[1]) == Decimal("0.02")
        await kill(scene)
        await flat(scene)
        await scene.until(lambda: scene.trader.reasons() == {"switch": "it stands at killed"})

    play(tmp_path, act)


def test_what_our_fills_make_is_closed_while_the_venue_does_not_say_what_it_holds(tmp_path):
    async def act(scene):
        held = await long(scene)
        before = len(scene.sent())
        scene.server.faults.add(RestFault(kind="maintenance", path="/v5/position/list", times=10_000))
        done = await kill(scene)
        assert len(scene.sent()) == before + 1
        assert done.pending == (f"{BTC}: {held} by our fills; the venue has not said",)
        scene.server.faults.clear()
        await flat(scene)

    play(tmp_path, act)


def test_a_kill_on_a_full_disk_is_kept_and_written_when_there_is_room(tmp_path):
    async def act(scene):
        await long(scene)
        with full_disk(scene.house.journal):
            fill_up(scene)
            done = await kill(scene)
            words = "the journal cannot be written; the switch is kept in a file beside it until it can"
            assert words in done.problems
            assert scene.house.journal.switch() is None
            assert scene.house.journal.marker.kept().by == "anna"
        await scene.until(lambda: not scene.trader.books.kept_aside)
        assert scene.house.journal.marker.kept() is None
        assert scene.house.journal.switch().switch is Switch.KILLED
        await flat(scene)

    play(tmp_path, act)


def test_a_session_that_cannot_write_its_switch_ends_by_saying_so(tmp_path):
    async def act(scene):
        await long(scene)
        with full_disk(scene.house.journal):
            fill_up(scene)
            await kill(scene)
            with pytest.raises(JournalError, match="the switch at killed") as caught:
                _require_written(scene.trader.books)
            assert caught.value.message.startswith("The session ends, and the journal could not be written: ")
            assert caught.value.message.endswith(
                "will not be remembered by it. Beside it stands the switch at killed, which counts at the next start."
            )
        _require_written(scene.trader.books)

    play(tmp_path, act)


async def order_in_flight(scene, says):
    """A candle closes, and the order that follows hangs on the wire; it is not waited for."""
    scene.wish.says = says
    await scene.server.step()
    await scene.until(lambda: scene.trader._sender._on_the_wire)
    await asyncio.sleep(0.1)  # it has left


def test_a_kill_does_not_wait_for_an_order_on_a_half_open_connection(tmp_path):
    async def act(scene):
        held = await long(scene)
        before, sent = len(scene.sent()), len(scene.answers())
        scene.server.faults.add(RestFault(kind="hang", path=CREATE))
        await order_in_flight(scene, -1)  # closes the long position, and would open a short one
        async with asyncio.timeout(10):
            done = await kill(scene)
        assert scene.house.journal.switch().switch is Switch.KILLED
        # What was on the wire is unknown, what waited behind it never leaves, what the venue holds is closed at once.
        assert scene.answers()[sent:] == ["unknown", "rejected", "accepted"]
        texts = [entry.record.text for entry in scene.house.journal.entries(kinds=(OrderAnswered,))]
        assert texts[sent : sent + 2] == ["cut short: trading was killed", "not sent: trading was killed"]
        assert len(scene.sent()) == before + 1
        assert done.pending == (f"{BTC}: the venue holds {held}",)
        (unknown,) = scene.trader.books.unknown
        await flat(scene)
        await scene.until(lambda: scene.trader.reasons() == {"switch": "it stands at killed"})
        assert f"order {unknown.order_id} never reached the venue" in scene.notes()

    play(tmp_path, act, patience=PATIENT)


def test_an_order_that_reaches_the_venue_after_the_kill_and_is_filled_is_closed_too(tmp_path):
    async def act(scene):
        scene.server.faults.add(RestFault(kind="delay", seconds=1.0, path=CREATE))
        await order_in_flight(scene, 1)
        done = await kill(scene)
        assert scene.sent() == []
        (order,) = scene.trader.books.unknown
        assert done.pending == (f"{BTC}: {order.order_id} may still open something",)
        assert not done.closed
        await scene.until(lambda: scene.sent() == [order.order_id])
        await scene.server.step()  # filled
        assert scene.held()[1] > 0
        await scene.until(lambda: len(scene.sent()) == 2)
        await flat(scene)
        assert scene.trader.books.unknown == ()
        await scene.until(lambda: scene.trader.reasons() == {"switch": "it stands at killed"})
        fills = [entry.record.order_id for entry in scene.house.journal.entries(kinds=(OrderFilled,))]
        assert fills == scene.sent()

    play(tmp_path, act, patience=PATIENT)


def test_closing_orders_and_questions_that_hang_are_given_up_and_repeated(tmp_path):
    async def act(scene):
        scene.trader._closer.answer_s = 0.3
        held, before = await long(scene), len(scene.sent())
        scene.server.faults.add(RestFault(kind="hang", path=CREATE))
        scene.server.faults.add(RestFault(kind="hang", path="/v5/position/list"))
        async with asyncio.timeout(15):
            done = await kill(scene)
        assert done.problems == (
            "the venue cannot be asked for positions: no answer within 0.3 s",
            f"{BTC}: the closing order got no answer: cut short: no answer within 0.3 s",
        )
        assert done.pending == (f"{BTC}: {held} by our fills; the venue has not said",)
        await scene.until(lambda: len(scene.sent()) > before)
        await flat(scene)

    play(tmp_path, act, patience=PATIENT)


def test_a_model_that_thinks_is_not_waited_for_by_a_kill(tmp_path):
    async def act(scene):
        await long(scene)
        decided = len(scene.steps())
        thinks, may_answer = threading.Event(), threading.Event()

        def think(windows):
            thinks.set()
            may_answer.wait(10)
            return np.tile(np.array([0.1, 0.1, 0.8], dtype=np.float32), (len(windows), 1))

        scene.wish.probabilities = think
        await scene.server.step()
        await scene.until(thinks.is_set)
        try:
            async with asyncio.timeout(3):
                await kill(scene)
        finally:
            may_answer.set()
        (closing,) = scene.steps()[decided:]
        assert closing.cause == "switch"
        await flat(scene)

    play(tmp_path, act)


def test_a_log_that_cannot_be_written_does_not_keep_a_kill_from_closing(tmp_path):
    async def act(scene):
        await long(scene)
        before = len(scene.sent())
        with open_log(Path("/dev/full")) as full:
            voice = voice_of(LiveSettings(name="house"), clock=SystemClock(), log=full)
            scene.trader._note = voice.note
            done = await kill(scene)
            assert len(done.commands) == 1
            assert len(scene.sent()) == before + 1
            await flat(scene)

    play(tmp_path, act)


def test_even_a_note_that_fails_leaves_the_switch_set_and_everything_closing(tmp_path):
    async def act(scene):
        await long(scene)
        before = len(scene.sent())
        kept, scene.trader._note = scene.trader._note, fails
        with pytest.raises(OSError, match="no room"):
            await kill(scene)
        scene.trader._note = kept
        assert scene.house.journal.switch().switch is Switch.KILLED
        await scene.until(lambda: len(scene.sent()) > before)
        await flat(scene)

    play(tmp_path, act)


def fails(*_words):
    raise OSError("no room")


def test_a_kill_that_the_journal_could_not_hold_counts_at_the_next_start(tmp_path):
    async def act(scene):
        await long(scene)
        with full_disk(scene.house.journal):
            fill_up(scene)
            await kill(scene)
        marker = scene.house.journal.marker
        assert marker.kept().switch is Switch.KILLED
        # The process dies here: a new trader on the same journal.
        again = Books(scene.house.engine, scene.house.journal, note=lambda text: None)
        assert scene.house.journal.switch() is None
        assert again.switch.read().reason == "smoke"
        assert scene.house.journal.switch().by == "anna"
        assert marker.kept() is None

    play(tmp_path, act)


def test_a_kill_written_beside_the_journal_by_another_process_is_heard(tmp_path):
    async def act(scene):
        await long(scene)
        before = len(scene.sent())
        scene.house.journal.marker.keep(SwitchSet(switch=Switch.KILLED, by="the command line", reason="smoke"))
        await scene.until(lambda: len(scene.sent()) > before)
        await flat(scene)
        assert scene.house.journal.switch().by == "the command line"
        assert scene.house.journal.marker.kept() is None

    play(tmp_path, act)
