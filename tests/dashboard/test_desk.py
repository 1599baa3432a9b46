import asyncio
from dataclasses import replace

import pytest
from tests.dashboard.records import MINUTE, START, SYMBOL, Scribe, order, step

from triptych.dashboard.desk import Desk
from triptych.dashboard.pages.overview import _account
from triptych.dashboard.room import instance
from triptych.live.control import SessionError
from triptych.live.journal import Entry
from triptych.live.journal.records import encode


class Session:
    """A session that answers from memory, and can fall silent."""

    def __init__(self, scribe, switch="run"):
        self.scribe, self.is_silent, self.asked_from = scribe, False, []
        self.state_now = {
            "name": "house", "symbols": [SYMBOL], "now_ms": START, "market_ms": START, "ready": True, "reasons": {},
            "switch": {"state": switch}, "models": [{"folder": "/runs/eye"}], "venue": "paper", "timeframe": "1m",
        }  # fmt: skip
        self.rows = [[START + n * MINUTE, 1.0, 2.0, 0.5, 1.5, 9.0] for n in range(80)]

    async def state(self):
        if self.is_silent:
            raise SessionError("The session at http://127.0.0.1:9 does not answer.")
        return self.state_now

    async def candles(self, symbol, from_ms):
        self.asked_from.append(from_ms)
        return [row for row in self.rows if row[0] >= from_ms]

    async def entries(self, after, limit):
        rows = []
        for entry in self.scribe.entries:
            kind, body = encode(entry.record)
            if entry.seq > after:
                rows.append(
                    {"seq": entry.seq, "time_ms": entry.time_ms, "token": entry.token, "kind": kind, "body": body}
                )
        return rows[:limit], len(self.scribe.entries)


def scribe_of(count):
    scribe = Scribe()
    for n in range(count):
        scribe.write(step(order(f"o{n}"), close_ms=START + n * MINUTE), after_ms=MINUTE)
    return scribe


def look(desk):
    asyncio.run(desk.look())


def test_a_desk_follows_a_session_entry_by_entry():
    session = Session(scribe_of(3))
    followed = []
    desk = Desk(session=session, on_models=followed.append)
    look(desk)
    assert (len(desk.story.decisions), desk.name, desk.is_reading, desk.trouble) == (3, "house", False, "")
    assert [str(path) for path in followed[0]] == ["/runs/eye"]
    session.scribe.write(step(close_ms=START + 9 * MINUTE))
    look(desk)
    look(desk)
    assert len(desk.story.decisions) == 4


def test_a_gap_that_was_closed_behind_the_newest_candle_is_seen():
    session = Session(scribe_of(1))
    missing = session.rows.pop(60)
    desk = Desk(session=session)
    look(desk)
    assert len(desk.candles[SYMBOL]) == 79
    session.rows.insert(60, missing)
    look(desk)
    assert [row[0] for row in desk.candles[SYMBOL]] == [row[0] for row in session.rows]
    assert session.asked_from[1] > START


def test_a_session_that_falls_silent_is_told_and_what_it_said_stays():
    session = Session(scribe_of(2))
    desk = Desk(session=session)
    look(desk)
    session.is_silent = True
    look(desk)
    assert desk.trouble == "The session at http://127.0.0.1:9 does not answer."
    assert len(desk.story.decisions) == 2
    desk.heard_s -= 60
    assert instance(desk)["status"] == "silent"
    session.is_silent = False
    look(desk)
    assert (instance(desk)["status"], desk.trouble) == ("ready", "")


def test_another_journal_in_the_same_place_begins_a_new_story():
    session = Session(scribe_of(5))
    desk = Desk(session=session)
    look(desk)
    session.scribe = scribe_of(2)
    look(desk)
    assert [one.seq for one in desk.story.decisions] == [1, 2]


@pytest.mark.parametrize(("switch", "status"), [("run", "ready"), ("close_only", "closing"), ("killed", "killed")])
def test_the_status_says_what_the_switch_says(switch, status):
    desk = Desk(session=Session(scribe_of(1), switch))
    assert instance(desk)["status"] == "waiting"
    look(desk)
    assert instance(desk)["status"] == status


def test_with_neither_session_nor_journal_there_are_only_runs():
    desk = Desk()
    assert (instance(desk)["status"], desk.has_instance, desk.is_reading) == ("none", False, False)


def test_the_drawdown_is_from_the_highest_equity_of_the_journal_however_long_ago():
    desk = Desk(session=None, journal=None)
    record = replace(step(close_ms=1_700_000_000_000), peak_equity=12_000.0)
    desk.story.take(Entry(seq=30_001, time_ms=1, token=1, record=record))
    found = _account(desk)
    assert found["drawdown"] == pytest.approx(1 - found["equity"] / 12_000)
    assert found["drawdown"] > 0.1
