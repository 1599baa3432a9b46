"""The guard sees every close once and in order, also where no process was there or nothing could be decided."""

import asyncio
import contextlib
import dataclasses
import threading

import numpy as np
import pytest
from tests.fakes.market import HOUR_MS, series_of
from tests.live.house import House, LastMove, paper, parts

from triptych.domain.errors import ExchangeError
from triptych.exchanges.simulated.tape import TapeSource
from triptych.inference.watch import AbstractWatch, Reading
from triptych.live import past
from triptych.live.journal import NoteWritten, StepRecorded, Switch
from triptych.live.runner import Config, Runner
from triptych.live.watching import Watcher
from triptych.trading import execution
from triptych.trading.guard import Config as GuardConfig

CRASH = {44: -0.08, 45: -0.05, 46: 0.06}
"""Returns of the planted crash, by row."""
BEGIN, ROWS = 38, 66


def market(symbol, seed):
    """A walk that rises a little more than it falls, and crashes as planted."""
    random = np.random.default_rng(seed)
    returns = random.normal(0.001, 0.004, ROWS)
    for row, value in CRASH.items():
        returns[row] = value
    close = 100 * np.exp(np.cumsum(returns))
    opening = np.concatenate(([100.0], close[:-1]))
    rows = [opening, np.maximum(opening, close) * 1.001, np.minimum(opening, close) * 0.999, close, np.full(ROWS, 5.0)]
    return series_of(np.column_stack(rows), symbol=symbol)


SERIES = [market("AAA", 3), market("BBB", 4)]
INSTRUMENTS = [one.instrument for one in SERIES]
SYMBOLS = ("AAA", "BBB")
GUARD = GuardConfig(policy="flatten", alarms=2, within=4, calm=3, cool_down_hours=12, release=0.8)
SETTINGS = parts(execution=execution.Config())


class Up(LastMove):
    """Always sure of a rise."""

    def probabilities(self, windows):
        return np.tile(np.array((0.1, 0.1, 0.8), dtype=np.float32), (len(windows), 1))


class Jumps(AbstractWatch):
    """Reads the largest of the newest moves of both instruments; more than 2 % alarms."""

    length, symbols = 4, SYMBOLS

    def __init__(self):
        self.asked = []

    def read_all(self, view, closes):
        newest = max(closes.values())
        self.asked.append(newest)
        found = [view.history(symbol, self.length) for symbol in self.symbols]
        if any(one is None or int(one.close_time_ms[-1]) != newest for one in found):
            return dict.fromkeys(closes)
        score = max(abs(float(one.values[-1, 3] / one.values[-2, 3] - 1)) for one in found) / 0.02
        reading = Reading(score=score, threshold=1.0, alarm=score > 1, reasons="a jump")
        return dict.fromkeys(closes, reading)


class Session:
    """A house, its runner, and the watch of its guard."""

    def __init__(self, path, tape, venue, *, engine=None, patience_seconds=5.0, **options):
        self.watch = Jumps()
        settings = SETTINGS | {"guard": GUARD, "watch": self.watch} | (engine or {})
        self.house = House(path / "j.db", INSTRUMENTS, venue, tape.clock, engine=settings, **options)
        self.trader = self.house.trader
        self.runner = Runner(
            trader=self.trader, candles=tape, gateway=venue, symbols=SYMBOLS, timeframe=SERIES[0].timeframe,
            clock=tape.clock, metrics=self.house.metrics, note=self.house.note, before=venue.on_candles,
            config=Config(pulse_seconds=0.02, patience_seconds=patience_seconds),
        )  # fmt: skip

    async def start(self):
        await self.runner.start(self.house.engine.memory)

    async def play(self):
        await self.start()
        await self.runner.run(asyncio.Event())

    def records(self, kind):
        return [entry.record for entry in self.house.journal.entries(kinds=(kind,))]

    def told(self):
        """What the guard remembers and what was decided, by hour of the decision, and what was noted of the guard."""
        steps = {one.close_ms // HOUR_MS: one for one in self.records(StepRecorded) if one.cause == "candles"}
        return (
            {hour: one.state.guard for hour, one in steps.items()},
            {hour: [(d.symbol, d.target, d.reason) for d in one.decisions] for hour, one in steps.items()},
            [one.text for one in self.records(NoteWritten) if one.topic == "guard"],
        )


@contextlib.contextmanager
def session(path, tape, venue, **options):
    one = Session(path, tape, venue, **options)
    try:
        yield one
    finally:
        one.house.journal.lease.release()  # whoever is dead holds nothing
        one.house.close()


def cut(series, rows):
    return dataclasses.replace(series, open_time_ms=series.open_time_ms[:rows], values=series.values[:rows])


def through(path, *, source=TapeSource, **options):
    """The whole tape in one process."""
    tape = source(SERIES, start_ms=BEGIN * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    with session(path, tape, venue, **options) as one:
        asyncio.run(one.play())
        return one.told()


def killed(path, dies_at, back_at, *, source=TapeSource, starts=1, between=None, look=None, **options):
    """A process that dies after the close of hour `dies_at` and another that begins after that of `back_at`. Meanwhile
    the venue goes on. `starts` of them begin, and all but the last die before they decide. `between` is shown the dead
    one, `look` the last.
    """
    tape = TapeSource([cut(one, dies_at) for one in SERIES], start_ms=BEGIN * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    with session(path, tape, venue, **options) as one:
        asyncio.run(one.play())
        if between is not None:
            between(one)
    rest = source(SERIES, start_ms=back_at * HOUR_MS)
    venue._clock = rest.clock
    for row in range(dies_at, back_at):
        venue.on_candles([one.candle(row) for one in SERIES])
    for left in reversed(range(starts)):
        venue._outbox = asyncio.Queue()  # each loop has its own
        with session(path, rest, venue, **options) as one:
            asyncio.run(one.start() if left else one.play())
            found = one.told()
            if look is not None:
                look(one)
    return found


def after(found, hour):
    return {key: value for key, value in found.items() if key > hour}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a process makes of the tape that is never interrupted."""
    return through(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(
    ("dies_at", "back_at", "starts"), [(43, 47, 1), (44, 46, 3), (45, 52, 1), (40, 41, 2), (45, 61, 3)]
)
def test_after_a_kill_the_guard_is_what_it_would_be_had_nobody_died(tmp_path, whole, dies_at, back_at, starts):
    guard, decisions, notes = whole
    found, decided, said = killed(tmp_path, dies_at, back_at, starts=starts)
    assert {hour for hour, both in guard.items() if both[0].level == "guarded"} == set(range(46, 59))
    assert after(found, back_at) == after(guard, back_at)
    first = back_at + 1
    assert all(reason.startswith("flat: guard: ") == (46 <= first < 59) for *_, reason in decided[first])
    assert after(decided, first) == after(decisions, first)
    missed = [text for text in said if "at which nothing was decided" in text]
    assert len(missed) == 2 * sum(dies_at < hour <= back_at for hour in (46, 59))  # two instruments, each act once
    assert len(said) == len(notes) == 4


def test_what_was_held_in_a_crash_that_nobody_saw_is_closed_at_the_first_decision(tmp_path):
    tape = TapeSource([cut(one, 43) for one in SERIES], start_ms=BEGIN * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    with session(tmp_path, tape, venue, predictor=Up()) as one:
        asyncio.run(one.play())
        assert all(one.house.engine.portfolio.position(symbol).quantity > 0 for symbol in SYMBOLS)
    rest = TapeSource([cut(one, 49) for one in SERIES], start_ms=47 * HOUR_MS)
    venue._clock, venue._outbox = rest.clock, asyncio.Queue()
    for row in range(43, 47):
        venue.on_candles([one.candle(row) for one in SERIES])
    with session(tmp_path, rest, venue, predictor=Up()) as one:
        asyncio.run(one.play())
        _, decided, said = one.told()
        assert all(venue.exchange.position(symbol).quantity == 0 for symbol in SYMBOLS)
        told = [text for _, topic, text, _ in filter(lambda said: isinstance(said, tuple), one.house.said)
                if topic == "guard"]  # fmt: skip
    reason = "score 2.44 above 1.00: a jump"
    text = f"flatten by the close of 1970-01-02 22:00:00 UTC, at which nothing was decided: {reason}"
    assert said == told == [text, text]
    assert decided[48] == [(symbol, 0.0, f"flat: guard: {reason}") for symbol in SYMBOLS]


def test_the_first_start_looks_at_nothing_before_its_first_decision(tmp_path):
    tape = TapeSource(SERIES, start_ms=47 * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    with session(tmp_path, tape, venue) as one:
        asyncio.run(one.play())
        assert min(one.watch.asked) == 48 * HOUR_MS
        guard, _, said = one.told()
    assert (guard[48][0].recent, said) == ((False,), [])


def test_a_journal_of_an_earlier_version_goes_on_from_its_last_decision(tmp_path, whole):
    guard, _, _ = whole

    def forget(one):
        (entry,) = one.house.journal.entries(kinds=(StepRecorded,), newest_first=True, limit=1)
        state = entry.record.state
        old = dataclasses.replace(state, guard=tuple(dataclasses.replace(one, seen_ms=-1) for one in state.guard))
        one.house.journal.append(dataclasses.replace(entry.record, state=old, cause="stop"))

    found, _, _ = killed(tmp_path, 43, 47, between=forget)
    assert after(found, 47) == after(guard, 47)


class Shallow(TapeSource):
    """Its history begins late."""

    async def history(self, symbol, start_ms, end_ms):
        return await super().history(symbol, max(start_ms, 55 * HOUR_MS), end_ms)


@pytest.mark.parametrize(
    ("source", "most", "why", "release"),
    [
        (Shallow, 10_000, ": no candle of AAA, no candle of BBB", "release: 3 calm readings"),
        (
            TapeSource,
            5,
            "",
            "release by the close of 1970-01-03 10:00:00 UTC, at which nothing was decided: 3 calm readings",
        ),
    ],
    ids=["history is short", "gap is long"],
)
def test_missed_closes_without_candles_count_as_closes_without_a_reading_and_are_told_of(
    tmp_path, monkeypatch, source, most, why, release
):
    """Of the closes from 44 to 60 those up to 55 are lost; with a short history three more lack what lies behind."""
    monkeypatch.setattr(past, "MOST_MISSED", most)
    guard = GuardConfig(policy="block", blind_closes=10, calm=3)
    found, _, said = killed(tmp_path, 43, 60, source=source, engine={"guard": guard})
    lost = (
        "12 closes from 1970-01-02 20:00:00 to 1970-01-03 07:00:00 UTC were missed, and their candles are not at hand: "
        "they count as closes without a reading"
    )
    blocked = (
        f"block by the close of 1970-01-03 06:00:00 UTC, at which nothing was decided: no reading for 11 closes{why}"
    )
    assert said[:4] == [lost, blocked, lost, blocked]
    assert [text.startswith(release) for text in said[4:]] == [True, True]
    assert [(one.level, one.blind, one.seen_ms // HOUR_MS) for one in found[61]] == [("calm", 0, 61)] * 2


class Late(TapeSource):
    """Loses all candles of some hours: history brings them when the next is there."""

    async def stream(self):
        async for item in super().stream():
            if getattr(item, "close_time_ms", 0) // HOUR_MS not in (44, 45, 46, 47):
                yield item


def test_closes_that_come_late_out_of_a_gap_are_looked_at(tmp_path, whole):
    guard, decisions, _ = whole
    found, decided, said = through(tmp_path, source=Late)
    assert set(guard) - set(found) == {44, 45, 46, 47}
    assert found == {hour: one for hour, one in guard.items() if hour in found}
    assert after(decided, 48) == after(decisions, 48)
    assert all(reason.startswith("flat: guard: ") for *_, reason in decided[48])
    assert len(said) == 4


def test_a_candle_that_comes_behind_the_others_completes_the_reading_of_all(tmp_path, whole):
    guard, _, _ = whole
    found, decided, said = through(tmp_path, patience_seconds=0.0)  # nobody waits for the second instrument
    assert [one[0][0] for one in decided.values()] == ["AAA"] * len(decided)
    known = {hour: {one.symbol: one for one in both} for hour, both in guard.items()}
    for hour, state in list(found.items())[1:]:
        mine = {one.symbol: one for one in state}
        assert dataclasses.replace(mine["AAA"], blind=0, seen_ms=0) == dataclasses.replace(
            known[hour - 1]["AAA"], blind=0, seen_ms=0
        )
        assert (mine["AAA"].blind, mine["AAA"].seen_ms) == (1, hour * HOUR_MS)
        assert mine["BBB"] == known[hour - 1]["BBB"]
    assert len(said) == 4


def silent_at(venue, clock, hours):
    """The venue answers no question at the closes of these hours."""
    positions, executions = venue.positions, venue.executions

    def asked(question):
        async def ask(*args):
            if clock.now_ms() // HOUR_MS in hours:
                raise ExchangeError("no answer")
            return await question(*args)

        return ask

    venue.positions, venue.executions = asked(positions), asked(executions)


def test_closes_at_which_the_venue_cannot_be_asked_are_looked_at(tmp_path, whole):
    guard, decisions, _ = whole
    tape = TapeSource(SERIES, start_ms=BEGIN * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    silent_at(venue, tape.clock, (44, 45, 46, 47))
    with session(tmp_path, tape, venue) as one:
        asyncio.run(one.play())
        found, decided, said = one.told()
    assert set(guard) - set(found) == {44, 45, 46, 47}
    assert found == {hour: one for hour, one in guard.items() if hour in found}
    assert after(decided, 48) == after(decisions, 48)
    assert len([text for text in said if "at which nothing was decided" in text]) == 2


class Stuck(Up):
    """Does not answer at the close of hour 46 before it is let go."""

    def __init__(self):
        self.asked, self.let_go = threading.Event(), threading.Event()

    def predict_all(self, view, closes):
        if max(closes.values()) == 46 * HOUR_MS:
            self.asked.set()
            self.let_go.wait(20)
        return super().predict_all(view, closes)


def played(path, predictor, *, silent=(), kill):
    """What the guard remembers at each decision of a tape that goes on to hour 50; `kill` is awaited with the trader at
    the close of each hour, while it is decided on.
    """
    tape = TapeSource(SERIES, start_ms=BEGIN * HOUR_MS)
    clock, venue = paper(SERIES, tape.clock)
    silent_at(venue, clock, silent)

    def watcher(note):
        return Watcher(Jumps(), deadline_s=20, note=note)

    async def run():
        with session(path, tape, venue, predictor=predictor, watcher=watcher) as one:
            for row in range(BEGIN):
                one.house.engine.observe([series.candle(row) for series in SERIES])
            await one.trader.start()
            for row in range(BEGIN, 50):
                candles = [series.candle(row) for series in SERIES]
                clock.set(candles[0].close_time_ms)
                venue.on_candles(candles)
                for message in venue.pending():
                    await one.trader.on_message(message)
                deciding = asyncio.create_task(one.trader.on_candles(candles))
                await kill(one.trader, row + 1)
                await deciding
            one.trader.close()
            return one.told()[0]

    return asyncio.run(run())


def test_a_close_that_a_kill_cut_short_is_looked_at(tmp_path, whole):
    stuck = Stuck()

    async def kill(trader, hour):
        if hour == 46:
            await asyncio.to_thread(stuck.asked.wait, 20)
            await trader.turn(Switch.KILLED, by="test", reason="a try")
            stuck.let_go.set()

    found = played(tmp_path, stuck, kill=kill)
    assert 46 not in found
    assert after(found, 47) == {hour: one for hour, one in after(whole[0], 47).items() if hour <= 50}


def test_closes_at_which_a_kill_still_waits_for_the_venue_are_looked_at(tmp_path, whole):
    async def kill(trader, hour):
        if hour == 44:
            await trader.turn(Switch.KILLED, by="test", reason="a try")

    found = played(tmp_path, Up(), silent=(44, 45, 46), kill=kill)
    assert set(range(40, 50)) - set(found) >= {44, 45, 46}
    assert after(found, 48) == {hour: one for hour, one in after(whole[0], 48).items() if hour <= 50}
