import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from triptych.domain import Candle, FillReason, Instrument, OrderFilled, Timeframe
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.watch import AbstractWatch, Reading, RecordedWatch
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import ThresholdStrategy
from triptych.trading import Decision, Engine, EngineState
from triptych.trading import sizing as sizing_
from triptych.trading.guard import Config, Guard, GuardActed, Watched

HOUR_MS = 3_600_000


class Nothing(AbstractView):
    def history(self, symbol, length):
        return None


class Tape(AbstractWatch):
    """Reads a score for every hour; the threshold is 1. None where the tape has none."""

    def __init__(self, *scores) -> None:
        self.length, self.scores = 3, scores

    def read_all(self, view, closes):
        return {symbol: reading(self.scores[close // HOUR_MS]) for symbol, close in closes.items()}


def reading(score):
    return None if score is None else Reading(score=score, threshold=1.0, alarm=score > 1, reasons="A: level 9.0")


def acts(config, *scores):
    guard = Guard(config, Tape(*scores))
    return [[one.action for one in guard.look(Nothing(), {"A": i * HOUR_MS})] for i in range(len(scores))]


def alarmed(**settings):
    guard = Guard(Config(**settings), Tape(2.0))
    (act,) = guard.look(Nothing(), {"A": 0})
    return guard, act


def test_without_a_watch_everything_passes():
    guard = Guard(Config(policy="flatten"))
    assert guard.length == 0
    assert guard.look(Nothing(), {"A": 0}) == []
    assert (guard.halt("A"), guard.allowed("A", 0.7, 0.0)) == ("", (0.7, ""))


def test_an_alarm_blocks_entries_and_enlargements_and_nothing_else():
    guard, act = alarmed(policy="block")
    assert (act.action, act.reason) == ("block", "score 2.00 above 1.00: A: level 9.0")
    assert guard.halt("A") == ""
    assert guard.allowed("A", 0.5, 0.0) == (0.0, "; guard: no entry (score 2.00 above 1.00: A: level 9.0)")
    assert guard.allowed("A", -0.5, 0.3)[0] == 0.0
    assert guard.allowed("A", 0.5, 0.3) == (0.3, "; guard: not enlarged (score 2.00 above 1.00: A: level 9.0)")
    assert guard.allowed("A", -0.5, -0.3)[0] == -0.3
    assert guard.allowed("A", 0.2, 0.3) == (0.2, "")
    assert guard.allowed("A", 0.0, 0.3) == (0.0, "")
    assert guard.allowed("B", 0.5, 0.0) == (0.5, "")


def test_an_alarm_keeps_a_share_of_the_exposure():
    guard, _ = alarmed(policy="reduce", keep=0.25)
    assert guard.allowed("A", -0.8, 0.0) == (-0.2, "; guard: 0.25 of it (score 2.00 above 1.00: A: level 9.0)")


def test_an_alarm_closes_everything():
    guard, _ = alarmed(policy="flatten")
    assert guard.halt("A") == "guard: score 2.00 above 1.00: A: level 9.0"
    assert guard.halt("B") == ""


def test_a_severe_score_closes_everything_under_any_policy():
    config = Config(policy="reduce", severe=2.0, calm=2)
    assert acts(config, 1.5, 1.9, 2.5, 1.5, 0.1, 0.1) == [["reduce"], [], ["flatten"], [], [], ["release"]]


def test_scores_between_release_and_threshold_keep_the_guard_up():
    config = Config(policy="block", release=0.5, calm=2)
    assert acts(config, 2, 0.9, 0.9, 0.4, 0.6, 0.4, 0.4) == [["block"], [], [], [], [], [], ["release"]]


def test_time_must_pass_since_the_last_alarm():
    config = Config(policy="block", calm=1, cool_down_hours=3)
    assert acts(config, 2, 0, 2, 0, 0, 0) == [["block"], [], [], [], [], ["release"]]


def test_it_takes_several_alarms_among_the_last_readings():
    config = Config(policy="block", alarms=2, within=3)
    assert acts(config, 2, 0, 0, 2, 0, 2) == [[], [], [], [], [], ["block"]]


def test_a_close_that_cannot_be_read_changes_nothing_or_counts_as_an_alarm():
    assert acts(Config(), 0, None, 0) == [[], [], []]
    assert acts(Config(calm=2), 2, 0, None, 0) == [["block"], [], [], ["release"]]
    assert acts(Config(without_reading="alarm"), 0, None) == [[], ["block"]]
    guard = Guard(Config(without_reading="alarm"), Tape(None))
    (act,) = guard.look(Nothing(), {"A": 0})
    assert act.reason == "the market cannot be read"


class Blind(Tape):
    """A tape that says what it lacks."""

    def why_blind(self, view, closes):
        return "no candle of GONE since 2022-11-09 00:00"


def blind_acts(config, *scores):
    guard = Guard(config, Blind(*scores))
    found = [one for i in range(len(scores)) for one in guard.look(Nothing(), {"A": i * HOUR_MS})]
    return guard, [(one.time_ms // HOUR_MS, one.action, one.reason) for one in found]


GONE = "no reading for 4 closes: no candle of GONE since 2022-11-09 00:00"


def test_a_guard_that_stays_blind_goes_by_its_policy_and_says_what_it_lacks():
    guard, found = blind_acts(Config(policy="block", blind_closes=3, calm=2), 0, *[None] * 9, 0, 0, 0)
    assert found[0] == (4, "block", GONE)
    assert found[1][:2] == (11, "release")
    assert len(found) == 2
    assert guard.blind == {"A": 0}


def test_a_guard_that_was_blocking_when_it_went_blind_tells_once_and_may_be_told_to_let_go():
    _, kept = blind_acts(Config(blind_closes=3), 2, *[None] * 5000)
    assert kept == [(0, "block", "score 2.00 above 1.00: A: level 9.0"), (4, "blind", GONE)]
    guard, let_go = blind_acts(Config(blind_closes=3, without_reading="release"), 2, *[None] * 5000)
    assert let_go[1:] == [(4, "release", GONE)]
    assert guard.allowed("A", 0.7, 0.0) == (0.7, "")
    assert guard.blind == {"A": 5000}


def test_a_calm_guard_that_lets_go_tells_that_it_is_blind():
    _, found = blind_acts(Config(blind_closes=3, without_reading="release"), 0, *[None] * 10)
    assert found == [(4, "blind", GONE)]


def test_a_short_while_without_readings_changes_nothing():
    guard, found = blind_acts(Config(), 0, *[None] * 192, 0)
    assert found == []
    assert guard.blind == {"A": 0}


def test_readings_made_elsewhere_are_taken_as_if_the_watch_had_been_asked():
    guard = Guard(Config(), Tape())
    (act,) = guard.look(Nothing(), {"A": 0, "B": 0}, {"A": reading(0.5), "B": reading(3.0)})
    assert (act.symbol, act.score, act.threshold) == ("B", 3.0, 1.0)


def test_a_restored_guard_goes_on_where_it_was():
    adapter = TypeAdapter(tuple[Watched, ...])
    scores = (0, 2, 0.9, 0, 0, 2, 0, 0, 0)
    config = Config(alarms=1, within=2, calm=2, cool_down_hours=2)
    whole = acts(config, *scores)
    for cut in range(len(scores)):
        first, second = Guard(config, Tape(*scores)), Guard(config, Tape(*scores))
        found = [[one.action for one in first.look(Nothing(), {"A": i * HOUR_MS})] for i in range(cut)]
        second.restore(adapter.validate_json(adapter.dump_json(first.state())))
        found += [[a.action for a in second.look(Nothing(), {"A": i * HOUR_MS})] for i in range(cut, len(scores))]
        assert found == whole


def test_a_close_is_looked_at_once_and_never_behind_a_later_one():
    guard = Guard(Config(within=5, alarms=2), Tape(0, 2, 0, 0))
    for hour in (0, 1, 1, 2, 1, 2, 0):
        guard.look(Nothing(), {"A": hour * HOUR_MS})
    (one,) = guard.state()
    assert (one.recent, one.calm, one.alarm_ms, one.seen_ms) == (
        (False, True, False), 1, HOUR_MS, 2 * HOUR_MS
    )  # fmt: skip
    assert not guard.awaits({"A": 2 * HOUR_MS})
    assert guard.awaits({"A": 2 * HOUR_MS, "B": 2 * HOUR_MS})


@pytest.mark.parametrize("without_reading", ["keep", "release", "alarm"])
def test_a_reading_that_comes_late_counts_where_its_close_has_not_counted_yet(without_reading):
    def looked(*readings):
        guard = Guard(Config(within=5, alarms=2, without_reading=without_reading), Tape())
        for one in readings:
            guard.look(Nothing(), {"A": HOUR_MS}, {"A": one})
        return guard.state()

    late, again = looked(None, reading(2.0)), looked(None, reading(2.0), reading(3.0), None)
    assert late == again == looked(None if without_reading == "alarm" else reading(2.0))


def test_a_restored_guard_keeps_what_it_has_seen_since():
    first, second = Guard(Config(), Tape(0, 2, 0)), Guard(Config(), Tape(0, 2, 0))
    first.look(Nothing(), {"A": 0, "B": 0})
    second.restore(first.state())
    second.look(Nothing(), {"A": HOUR_MS})
    known = second.state()
    second.restore(first.state())
    assert second.state() == known
    assert second.resume_ms(("A", "B", "C"), 7) == 0
    assert second.resume_ms(("C",), 7) == -1


def test_a_guard_that_lacks_its_newest_reading_or_knows_no_times_resumes_before():
    guard = Guard(Config(), Tape(0, None))
    for hour in (0, 1):
        guard.look(Nothing(), {"A": hour * HOUR_MS})
    assert guard.resume_ms(("A",), 7) == HOUR_MS - 1
    guard = Guard(Config(), Tape())
    guard.restore([Watched(symbol="A")])
    assert guard.resume_ms(("A",), 7) == 7
    assert Guard(Config()).resume_ms(("A",), 7) == -1


@given(
    policy=st.sampled_from(["reduce", "block", "flatten"]),
    wanted=st.floats(-2, 2),
    held=st.floats(-2, 2),
)
def test_a_guard_never_asks_for_more_than_is_wanted_nor_for_the_other_side(policy, wanted, held):
    guard, _ = alarmed(policy=policy)
    allowed, _ = guard.allowed("A", wanted, held)
    assert abs(allowed) <= abs(wanted)
    assert allowed == 0 or math.copysign(1, allowed) == math.copysign(1, wanted)


def test_a_recorded_watch_asks_for_what_it_does_not_know():
    recorded = RecordedWatch(Tape(0.1, 0.2), {"A": {0: reading(5.0)}})
    found = recorded.read_all(Nothing(), {"A": 0, "B": 0})
    assert (found["A"].score, found["B"].score) == (5.0, 0.1)
    assert recorded.read_all(Nothing(), {"A": HOUR_MS})["A"].score == 0.2


def test_a_multiple_that_would_never_be_severe_is_refused():
    with pytest.raises(ValueError, match="greater than 1"):
        Config(severe=0.5)


class Hours(AbstractPredictor):
    """Always says buy."""

    length, name = 2, "hours"

    def probabilities(self, windows):
        return np.tile(np.float32([0.1, 0.1, 0.8]), (len(windows), 1))


def engine(records, config, *scores):
    return Engine(
        name="test", instruments=[Instrument(symbol="A", quantity_step=Decimal("0.001"))], predictor=Hours(),
        strategy=ThresholdStrategy(StrategyConfig()), initial_capital=Decimal(1000), observer=records.append,
        sizing=sizing_.Config(capital_fraction=0.5), guard=config, watch=Tape(*scores),
    )  # fmt: skip


def candle(hour):
    return Candle(
        symbol="A", timeframe=Timeframe(HOUR_MS), open_time_ms=(hour - 1) * HOUR_MS,
        open=100, high=101, low=99, close=100, volume=1,
    )  # fmt: skip


def filled(order):
    return OrderFilled(
        order_id=order.order_id, fill_id=order.order_id, symbol="A", side=order.side, quantity=order.quantity,
        price=Decimal(100), fee=Decimal(0), is_maker=False, time_ms=order.time_ms, reference_price=Decimal(100),
        reason=FillReason.ORDER,
    )  # fmt: skip


def quantities(one, hours):
    """Signed quantities ordered at each close, each filled at once."""
    found = []
    for hour in hours:
        orders = one.on_candle(candle(hour))
        for order in orders:
            one.on_event(filled(order))
        found.append(sum(float(order.quantity) * order.side.sign for order in orders))
    return found


def test_the_engine_flattens_waits_and_enters_again():
    records = []
    config = Config(policy="flatten", calm=2)
    one = engine(records, config, None, 0, 0, 2, 0.9, 0, 0, 0)
    assert one.memory == 3
    assert quantities(one, range(1, 8)) == [0.0, 5.0, -5.0, 0.0, 0.0, 5.0, 0.0]
    decisions = [record for record in records if isinstance(record, Decision)]
    assert decisions[1].reason == "flat: guard: score 2.00 above 1.00: A: level 9.0"
    assert (decisions[1].target, decisions[1].exposure) == (0.0, 0.0)
    said = [(record.action, record.time_ms // HOUR_MS) for record in records if isinstance(record, GuardActed)]
    assert said == [("flatten", 3), ("release", 6)]


def test_the_engine_enters_nothing_while_blocked_and_holds_what_it_has():
    records = []
    assert quantities(engine(records, Config(calm=1), 0, 0, 2, 0, 0), range(1, 5)) == [0.0, 0.0, 5.0, 0.0]
    assert records[1].reason.endswith("; guard: no entry (score 2.00 above 1.00: A: level 9.0)")
    assert quantities(engine([], Config(calm=1), 0, 0, 0, 2, 2), range(1, 5)) == [0.0, 5.0, 0.0, 0.0]


def test_the_engine_halves_what_it_holds():
    assert quantities(engine([], Config(policy="reduce", calm=1), 0, 0, 0, 2, 0), range(1, 5)) == [0, 5.0, -2.5, 2.5]


def test_the_guard_is_journalled_with_the_engine():
    adapter = TypeAdapter(EngineState)
    first, second = (engine([], Config(policy="flatten", calm=3), 0, 0, 0, 2, 0, 0, 0, 0) for _ in range(2))
    quantities(first, range(1, 5))
    second.observe([candle(hour) for hour in range(1, 5)])
    second.restore(adapter.validate_json(adapter.dump_json(first.state())))
    assert quantities(second, range(5, 8)) == quantities(first, range(5, 8)) == [0.0, 5.0, 0.0]
    old = adapter.dump_python(first.state(), mode="json")
    del old["guard"]
    assert adapter.validate_python(old).guard == ()
