"""A watch that is begun again with its state knows what it was sent before, from wherever that is sent again."""

import itertools

import numpy as np
import pytest
from tests.fakes.waves import waves

from triptych.inference.anomaly.baselines import KMeansConfig, KMeansDetector
from triptych.inference.anomaly.course import AGAIN
from triptych.inference.anomaly.sent_again import PATIENCE, SENT_AGAIN
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.stream_state import StreamFile
from triptych.inference.anomaly.thresholds import Config

START = 1_700_000_040
MOVING = Config(alarms_per_day=20, window=200, patience=0.01)
ROWS, LATE = 260, 170


def fit(**settings):
    return KMeansDetector(KMeansConfig(length=8, **settings)).fit(waves(900), time=60 * np.arange(900) + START)


@pytest.fixture(scope="module")
def detector():
    return fit()


def course_of_events():
    """Rows with all that a course knows: one without a time, wrong times, alone and in a row, late rows, a gap."""
    rows, minutes = waves(ROWS, seed=3), [*map(float, range(ROWS))]
    rows[30:34] += 9
    rows[50] = np.nan
    minutes[60] += 90  # wrong
    minutes[75], minutes[76] = 500, 900  # one behind the other
    for row in range(120, ROWS):
        minutes[row] += 40  # a gap, longer than what a stream calls sent again behind the end
    minutes[140] = None
    minutes[LATE] = 150
    minutes[171] = None
    rows[200:230] *= 4
    minutes[-1] = None
    return rows, minutes


EVENTS = course_of_events()


def feed(stream, events, first, stop, symbol=""):
    rows, minutes = events
    times = [None if one is None else START + 60 * one for one in minutes]
    return [stream.update(rows[i], symbol=symbol, time=times[i]) for i in range(first, stop)]


def kept_at(detector, path, events, cut, moving=MOVING):
    first = DetectorStream(detector, moving)
    kept = StreamFile(path, first)
    feed(first, events, 0, cut)
    kept.write()
    return path


def resumed(detector, path, said=None, moving=MOVING):
    stream = DetectorStream(detector, moving, tell=(lambda _: None) if said is None else said.append)
    assert StreamFile(path, stream).resumed
    return stream


def taken_up(detector, path, events, cut, said=None, moving=MOVING):
    return resumed(detector, kept_at(detector, path, events, cut, moving), said, moving)


@pytest.fixture(scope="module", params=[True, False], ids=["breaks", "no breaks"])
def unbroken(request):
    """A detector whose rows gaps break or not, and what it says of all the events."""
    detector = fit(breaks=request.param)
    return detector, feed(DetectorStream(detector, MOVING), EVENTS, 0, ROWS)


CUTS = (3, 61, 62, 76, 77, 78, 121, 141, 142, 171, 172, 173, 215, 259)


@pytest.mark.parametrize("cut", CUTS)
def test_readings_go_on_to_the_last_bit_from_wherever_rows_are_sent_again(unbroken, tmp_path, cut):
    """From a row on that has the newest time of the state, or from one before: others it cannot know by their time."""
    detector, whole = unbroken
    path = kept_at(detector, tmp_path / "state", EVENTS, cut)
    newest = max(i for i in range(cut) if EVENTS[1][i] is not None and i != LATE)
    points = {0, cut // 2, 30, 60, 61, 75, 76, 77, 119, 120, 140, 141, LATE, 171, 172, newest - 1, newest}
    for first in {cut, *(one for one in points if one <= newest)}:
        found = feed(resumed(detector, path), EVENTS, first, min(cut + 40, ROWS))
        assert found[cut - first :] == whole[cut : cut + 40], first


def test_a_row_that_came_again_is_answered_as_such(detector, tmp_path):
    said = []
    plain = waves(ROWS, seed=3), list(range(ROWS))
    stream = taken_up(detector, tmp_path / "state", plain, 200, said)
    assert AGAIN + 8 < 200
    found = feed(stream, plain, 0, 200)
    assert {(one.score, one.alarm, one.reasons) for one in found} == {(0.0, False, SENT_AGAIN)}
    assert said == []
    feed(stream, plain, 200, 202)
    assert said == ["200 rows were ignored: they came again, the state knows times until 2023-11-15 01:33:00."]
    assert stream.told_of_sent_again() == ""


def test_each_symbol_has_a_time_of_its_own(detector, tmp_path):
    said, plain = [], (waves(60, seed=3), list(range(60)))
    first = DetectorStream(detector, MOVING)
    kept = StreamFile(tmp_path / "state", first)
    whole = {"A": feed(first, plain, 0, 40, "A"), "B": feed(first, plain, 0, 20, "B")}
    kept.write()
    for symbol, cut in (("A", 40), ("B", 20)):
        whole[symbol] += feed(first, plain, cut, 60, symbol)
    stream = DetectorStream(detector, MOVING, tell=said.append)
    StreamFile(tmp_path / "state", stream)
    found = {"A": [], "B": []}
    for i, symbol in itertools.product(range(60), "AB"):
        found[symbol] += feed(stream, plain, i, i + 1, symbol)
    assert found["A"][40:] == whole["A"][40:]
    assert found["B"][20:] == whole["B"][20:]
    assert [one.reasons for one in found["B"][:20]] == [SENT_AGAIN] * 20
    assert [one.split(":")[0] for one in said] == ["60 rows were ignored"]
    assert feed(stream, plain, 0, 1, "C")[0].reasons == "warming up: 1 of 8 rows"


def test_a_clock_that_is_set_back_in_a_running_watch_begins_anew_and_so_does_one_behind_a_state(detector, tmp_path):
    """Once a row has gone past what the state knows, times far back are those of a clock again."""
    minutes = [*range(200), *range(20)]
    events = (waves(220, seed=3), minutes)
    whole = feed(DetectorStream(detector, MOVING), events, 0, 220)
    assert [one.reasons.startswith("warming up") for one in whole[200:]] == [True] * 7 + [False] * 13
    stream = taken_up(detector, tmp_path / "state", events, 150)
    assert feed(stream, events, 100, 220)[50:] == whole[150:]
    into_the_gap = [*range(20), *range(110, 115), *range(20, 60)]  # a clock that was wrong for five rows
    events = (waves(65, seed=3), into_the_gap)
    whole = feed(DetectorStream(detector, MOVING), events, 0, 65)
    stream = taken_up(detector, tmp_path / "other", events, 25)
    assert feed(stream, events, 25, 65) == whole[25:]


def test_times_that_never_go_past_what_the_state_knows_are_told_of(detector, tmp_path):
    said = []
    known = waves(40, seed=3), [5000 + i for i in range(40)]
    stream = taken_up(detector, tmp_path / "state", known, 40, said)
    rows = waves(2 * PATIENCE + 1, seed=4)
    readings = feed(stream, (rows, list(range(len(rows)))), 0, len(rows))
    assert {one.reasons for one in readings} == {SENT_AGAIN}
    assert [one.split(" ")[0] for one in said] == [str(PATIENCE), str(2 * PATIENCE)]
    assert said[0] == (
        "1000 rows were ignored: they count as sent again, since none is later than 2023-11-18 10:13:00, the newest "
        "time that the state knows; the last one is of 2023-11-15 14:53:00. If these are new rows, since a clock was "
        "set back or the stream is another one, watch them with another --state file."
    )
    assert stream.told_of_sent_again() == (
        "2001 rows were ignored: they came again, the state knows times until 2023-11-18 10:13:00. No row was later."
    )


def test_a_state_that_is_written_while_rows_come_again_is_as_good(detector, tmp_path):
    whole = feed(DetectorStream(detector, MOVING), EVENTS, 0, ROWS)
    stream = taken_up(detector, tmp_path / "state", EVENTS, 215)
    kept = StreamFile(tmp_path / "again", stream)
    feed(stream, EVENTS, 0, 100)
    kept.write()
    third = DetectorStream(detector, MOVING)
    assert StreamFile(tmp_path / "again", third).resumed
    assert feed(third, EVENTS, 10, ROWS)[205:] == whole[215:]


def test_without_times_nothing_is_known_and_all_is_new(detector, tmp_path):
    events = waves(60, seed=3), [None] * 60
    whole = feed(DetectorStream(detector, MOVING), events, 0, 60)
    stream = taken_up(detector, tmp_path / "state", events, 40)
    assert feed(stream, events, 40, 60) == whole[40:]
    bare = KMeansDetector(KMeansConfig(length=8)).fit(waves(900))  # knows no step
    events = waves(60, seed=3), list(range(60))
    moving = MOVING.model_copy(update={"rows_per_day": 100.0})
    whole = feed(DetectorStream(bare, moving), events, 0, 60)
    stream = taken_up(bare, tmp_path / "bare", events, 40, moving=moving)
    assert feed(stream, events, 0, 60)[40:] == whole[40:]
