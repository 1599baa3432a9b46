import asyncio
import threading

import numpy as np
import pytest

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.live.failover import Config, Ladder, Level

N = 12
CLOSES = {"AAA": 7, "BBB": 7}


class View(AbstractView):
    """Candles of any instrument whose closes tell the place of the candle; `shift` moves on."""

    shift = 0

    def history(self, symbol, length):
        if length > N:
            return None
        values = np.full((length, 5), 100.0) + np.arange(N - length, N)[:, None] + self.shift
        times = 60_000 * np.arange(length, dtype=np.int64)
        return CandleSeries(
            instrument=Instrument(symbol=symbol), timeframe=Timeframe.parse("1m"), open_time_ms=times, values=values
        )


class Model(AbstractPredictor):
    """Does what it is told: a number is the probability of buying, an exception is raised, an event is waited for."""

    def __init__(self, name, *acts, length=4):
        self.name, self.length, self.acts, self.asked = name, length, list(acts), []

    def probabilities(self, windows):
        self.asked.append(windows)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        if isinstance(act, Exception):
            raise act
        if isinstance(act, threading.Event):
            act.wait(10)
            act = 0.99
        return np.tile(np.array([0.9 - act, 0.1, act], dtype=np.float32), (len(windows), 1))


@pytest.fixture
def ladder():
    """Makes ladders of models, and lets go of them."""
    made = []

    def make(*models, notes=None, deadlines=(), **config):
        waits = [*deadlines, *[60.0] * len(models)]  # a busy machine must not decide
        levels = [Level(one.name, one, deadline_s=wait) for one, wait in zip(models, waits, strict=False)]
        made.append(Ladder(levels, Config(**config), notes.append if notes is not None else lambda _: None))
        return made[-1]

    yield make
    for one in made:
        one.close()


def decide(ladder, times=1):
    """So many decisions, with time for trials to end; returns the outcomes."""

    async def run():
        outcomes = []
        for _ in range(times):
            outcomes.append(await ladder.predict(View(), CLOSES))
            for _ in range(200):
                if not ladder._trials:
                    break
                await asyncio.sleep(0.005)
        return outcomes

    return asyncio.run(run())


def test_the_best_level_answers_for_all_symbols_in_one_call(ladder):
    big, small = Model("big", 0.7), Model("small", 0.2)
    (outcome,) = decide(ladder(big, small))
    assert (outcome.level, outcome.name, outcome.failures) == (0, "big", {})
    assert {s: p.probability_buy for s, p in outcome.predictions.items()} == pytest.approx({"AAA": 0.7, "BBB": 0.7})
    assert [windows.shape for windows in big.asked] == [(2, 4, 5)]
    assert small.asked == []


@pytest.mark.parametrize(
    ("act", "failure"),
    [
        (RuntimeError("CUDA error: device lost"), "RuntimeError: CUDA error: device lost"),
        (MemoryError(), "MemoryError: "),
        (float("nan"), "no probabilities for AAA, BBB"),
        (1.5, "no probabilities for AAA, BBB"),
    ],
)
def test_a_level_that_fails_is_replaced_within_the_same_decision(ladder, act, failure):
    (outcome,) = decide(ladder(Model("big", act), Model("small", 0.2)))
    assert (outcome.level, outcome.name) == (1, "small")
    assert outcome.failures == {"big": failure}
    assert outcome.predictions["AAA"].probability_buy == pytest.approx(0.2)


def test_a_model_that_hangs_is_left_alone_until_it_has_ended(ladder):
    hangs = threading.Event()
    one = ladder(Model("big", hangs, 0.7), Model("small", 0.2), deadlines=(0.05,), demote_after=9)
    first, second = decide(one, 2)
    assert first.failures == {"big": "missed its deadline of 0.05 s"}
    assert second.failures == {"big": "still busy with an earlier decision"}
    assert [first.name, second.name] == ["small", "small"]
    hangs.set()
    while one.levels[0].is_busy:
        pass
    (third,) = decide(one)
    assert third.name == "big"
    assert third.predictions["AAA"].probability_buy == pytest.approx(0.7)  # not what the hanging call said


MISSED = "missed its deadline of "


def test_the_deadline_is_shared_by_all_levels_and_one_that_was_not_asked_has_not_failed(ladder):
    hang = threading.Event()
    one = ladder(Model("big", hang), Model("small", 0.2), Model("tiny", 0.2), deadline_seconds=0.05, demote_after=2)
    (first,) = decide(one)
    assert (first.level, first.name, first.predictions) == (3, "none", {})
    assert first.failures.pop("big").startswith(MISSED)
    assert first.failures == {"small": "no time was left for it", "tiny": "no time was left for it"}
    assert first.unasked == {"small", "tiny"}
    assert list(first.seconds) == ["big"]
    one.config = Config(deadline_seconds=30, demote_after=2)
    (second,) = decide(one)  # the first is still busy, and the second has the time
    hang.set()
    assert (second.name, second.unasked) == ("small", frozenset())
    assert [(level.duty.failures, level.duty.is_off) for level in one.levels] == [(2, True), (0, False), (0, False)]


def test_a_rule_is_asked_however_slow_the_models_before_it_were(ladder):
    """It needs no time to speak of: a tenth of the deadline is kept for it, and it never goes off duty unasked."""
    hang, notes = threading.Event(), []
    one = ladder(
        Model("big", hang), Model("small", hang), Model("rules", 0.2), notes=notes, deadlines=(2.5, 2.5),
        deadline_seconds=3.0, demote_after=2,
    )  # fmt: skip
    one.levels[-1].is_instant = True
    (first,) = decide(one)
    assert (first.name, first.failures["big"]) == ("rules", MISSED + "2.5 s")
    # What was left of nine tenths, and too little to be held against it.
    assert float(first.failures["small"].removeprefix(MISSED).removesuffix(" s")) <= 0.2
    assert [level.duty.failures for level in one.levels] == [1, 0, 0]
    assert [outcome.name for outcome in decide(one, 3)] == ["rules"] * 3
    hang.set()
    busy = "is off duty after 2 failures in a row: still busy with an earlier decision"
    assert notes == [f"big {busy}", f"small {busy}"]


def test_a_model_that_is_slower_than_the_whole_deadline_goes_off_duty(ladder):
    notes, gate = [], threading.Semaphore(0)

    class Slow(Model):
        def probabilities(self, windows):
            gate.acquire(timeout=10)
            return super().probabilities(windows)

    one = ladder(Slow("big", 0.7), notes=notes, deadline_seconds=0.03, demote_after=2)

    async def run():
        for _ in range(2):
            await one.predict(View(), CLOSES)
            gate.release()
            while one.levels[0].is_busy:
                await asyncio.sleep(0.001)

    asyncio.run(run())
    assert len(notes) == 1
    assert notes[0].startswith("big is off duty after 2 failures in a row: " + MISSED)


def test_without_any_sound_level_there_is_no_prediction(ladder):
    (outcome,) = decide(ladder(Model("big", ValueError("x")), Model("small", float("nan"))))
    assert (outcome.level, outcome.name, outcome.predictions) == (2, "none", {})


def test_missing_candles_are_no_failure(ladder):
    (outcome,) = decide(ladder(Model("big", 0.7, length=99), Model("small", 0.2)))
    assert outcome.name == "big"
    assert outcome.predictions == {"AAA": None, "BBB": None}


def test_a_level_goes_off_duty_and_comes_back_after_sound_trials(ladder):
    notes = []
    error = RuntimeError("lost")
    # Fails three times on duty and once in a trial, then is well.
    big = Model("big", error, error, error, error, 0.7)
    one = ladder(big, Model("small", 0.2), notes=notes, demote_after=3, probe_every=2, promote_after=2)
    names = [outcome.name for outcome in decide(one, 3)]
    assert names == ["small"] * 3
    assert one.on_duty == 1
    # Trials are at the 2nd (fails), 4th and 6th (sound) decision after; the 7th is its own again.
    outcomes = decide(one, 7)
    assert [outcome.name for outcome in outcomes] == ["small"] * 6 + ["big"]
    assert all(outcome.failures == {} for outcome in outcomes)
    assert len(big.asked) == 3 + 3 + 1
    assert notes == [
        "big is off duty after 3 failures in a row: RuntimeError: lost",
        "big is on duty again after 2 sound answers in a row",
    ]


def test_a_failure_now_and_then_does_not_put_a_level_off_duty(ladder):
    error = RuntimeError("now and then")
    one = ladder(Model("big", error, error, 0.7, error, error, 0.7), Model("small", 0.2), demote_after=3)
    assert [outcome.name for outcome in decide(one, 6)] == ["small", "small", "big"] * 2


def test_a_late_model_sees_the_candles_it_was_asked_about(ladder):
    gate = threading.Event()

    class Late(Model):
        def window_now(self, view, symbol):
            gate.wait(10)
            return super().window_now(view, symbol)

    late = Late("late", 0.7)
    one = ladder(late, deadlines=(0.02,))
    view = View()

    async def run():
        await one.predict(view, CLOSES)
        view.shift = 1_000
        gate.set()
        while one.levels[0].is_busy:
            await asyncio.sleep(0.001)

    asyncio.run(run())
    assert late.asked[0].max() == 100 + N - 1


def test_another_model_can_take_a_level_over(ladder):
    one = ladder(Model("old", 0.2))
    decide(one)
    one.levels[0].replace(Model("new", 0.7))
    (outcome,) = decide(one)
    assert outcome.predictions["AAA"].model == "new"


def test_a_model_in_the_place_of_one_that_hangs_is_asked_at_the_next_decision(ladder):
    """The very case in which a model is replaced: its call never ends, and its level is off duty."""
    hangs, notes = threading.Event(), []
    one = ladder(Model("big", hangs), Model("small", 0.2), notes=notes, deadlines=(0.05,), demote_after=2)
    assert [outcome.name for outcome in decide(one, 3)] == ["small"] * 3
    level = one.levels[0]
    assert one.standings()[0] == {"name": "big", "off_duty": True, "busy": True, "failures": 2}
    level.replace(Model("new", 0.7))
    level.deadline_s = 5.0
    assert one.standings()[0] == {"name": "big", "off_duty": False, "busy": False, "failures": 0}
    outcomes = decide(one, 3)
    assert [outcome.name for outcome in outcomes] == ["big"] * 3
    assert {outcome.predictions["AAA"].model for outcome in outcomes} == {"new"}
    assert [outcome.predictions["AAA"].probability_buy for outcome in outcomes] == pytest.approx([0.7] * 3)
    assert len(notes) == 1  # off duty
    hangs.set()


def test_a_trial_of_the_model_before_says_nothing_of_the_one_in_its_place(ladder):
    gate, error = threading.Event(), RuntimeError("lost")
    notes = []
    one = ladder(
        Model("old", error, gate), Model("small", 0.2), notes=notes, demote_after=1, probe_every=1, promote_after=1
    )

    async def run():
        await one.predict(View(), CLOSES)  # fails, and is off duty
        await one.predict(View(), CLOSES)  # its trial waits for the gate
        (trial,) = one._trials
        one.levels[0].replace(Model("new", error))
        await one.predict(View(), CLOSES)  # fails as well
        gate.set()
        await trial  # a sound answer, of the old one
        return one.standings()[0]

    assert asyncio.run(run()) == {"name": "old", "off_duty": True, "busy": False, "failures": 1}
    assert notes == ["old is off duty after 1 failures in a row: RuntimeError: lost"] * 2


def test_a_level_that_is_let_go_before_its_call_has_begun_says_so_and_cancels_nobody():
    hangs = threading.Event()
    level = Level("big", Model("big", hangs), deadline_s=60.0)

    async def run():
        view, closes = View(), {"AAA": 7}
        level._worker.submit(hangs.wait, 10)  # the thread is taken
        waiting = asyncio.create_task(level.ask(level.snapshot(view, closes), closes, within_s=60.0))
        await asyncio.sleep(0)
        level.close()
        hangs.set()
        return await waiting

    answer = asyncio.run(run())
    assert (answer.failure, answer.was_asked) == ("let go before it was asked", False)


def test_a_call_that_has_not_begun_when_another_model_comes_is_still_answered():
    hangs = threading.Event()
    level = Level("big", Model("big", 0.7), deadline_s=60.0)

    async def run():
        view, closes = View(), {"AAA": 7}
        level._worker.submit(hangs.wait, 10)
        waiting = asyncio.create_task(level.ask(level.snapshot(view, closes), closes, within_s=60.0))
        await asyncio.sleep(0)
        level.replace(Model("new", 0.2))
        hangs.set()
        return await waiting, await level.ask(level.snapshot(view, closes), closes, within_s=60.0)

    old, new = asyncio.run(run())
    level.close()
    assert [one.predictions["AAA"].probability_buy for one in (old, new)] == pytest.approx([0.7, 0.2])


def test_a_model_that_the_floor_keeps_from_deciding_is_tried_at_every_decision(ladder):
    told, notes = [], []
    big, small = Model("big", 0.7), Model("small", 0.2)
    one = ladder(big, small, notes=notes, demote_after=2)
    one.floor, one.on_trial = one.stand_in, told.append
    assert one.floor == 1
    assert [outcome.name for outcome in decide(one, 3)] == ["small"] * 3
    assert [(outcome.model, outcome.level) for outcome in told] == [("big", 0)] * 3
    assert told[0].predictions["AAA"].probability_buy == pytest.approx(0.7)
    assert len(big.asked) == 3
    big.acts = [RuntimeError("lost")]  # it can go off duty all the same, and has nothing to tell then
    assert [outcome.failures for outcome in decide(one, 2)] == [{}, {}]
    assert len(told) == 3
    assert notes == ["big is off duty after 2 failures in a row: RuntimeError: lost"]
    one.floor = 0
    assert one.on_duty == 1


def test_what_is_tried_does_not_keep_the_decision_waiting(ladder):
    hang, small = threading.Event(), Model("small", 0.2)
    one = ladder(Model("big", hang), small)
    one.floor = 1

    async def run():
        outcome = await one.predict(View(), CLOSES)
        assert (outcome.name, one.levels[0].is_busy) == ("small", False)  # begun behind the decision
        await asyncio.sleep(0)
        assert one.levels[0].is_busy
        again = await one.predict(View(), CLOSES)
        assert len(one._trials) == 1  # one that is busy is not asked again
        hang.set()
        await asyncio.gather(*one._trials)
        return again

    assert asyncio.run(run()).name == "small"


def test_the_stand_in_of_a_model_is_another_model_not_the_same_one_on_another_device(ladder):
    one = ladder(Model("net (cuda)", 0.7), Model("net", 0.7), Model("small", 0.2))
    one.levels[0].identity = one.levels[1].identity = "print"
    assert one.stand_in == 2
    alone = ladder(Model("net", 0.7))
    assert alone.stand_in == 1  # nobody
