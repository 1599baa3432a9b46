import asyncio
import threading

from tests.live.house import LastMove, parts

from triptych.domain import Instrument
from triptych.inference.watch import AbstractWatch, Reading
from triptych.live.watching import Watcher
from triptych.trading.engine import Engine

CALM = Reading(score=0.1, threshold=1.0, alarm=False, reasons="")


class Scripted(AbstractWatch):
    length = 2

    def __init__(self, say):
        self._say = say

    def read_all(self, view, closes):
        return {symbol: self._say() for symbol in closes}


def engine():
    return Engine(name="x", instruments=[Instrument(symbol="A")], predictor=LastMove(), initial_capital=1, **parts())


def read(say, deadline_s=5.0, times=1):
    said = []
    watcher = Watcher(Scripted(say), deadline_s=deadline_s, note=lambda *words: said.append(words[2]))

    async def run():
        return [await watcher.read(engine(), {"A": 0}) for _ in range(times)]

    found = asyncio.run(run())
    watcher.close()
    return found, said


def test_a_reading_comes_from_the_watch():
    assert read(lambda: CALM) == ([{"A": CALM}], [])


def test_a_detector_that_fails_or_is_late_gives_no_reading_and_is_told_of():
    def fail():
        raise RuntimeError("device lost")

    assert read(fail) == ([{"A": None}], ["the detector failed: RuntimeError: device lost"])
    going_on = threading.Event()
    found, said = read(lambda: going_on.wait(20), deadline_s=0.02, times=2)
    going_on.set()
    assert found == [{"A": None}, {"A": None}]
    assert said == ["the detector missed its deadline of 0.02 s", "the detector is still busy with an earlier close"]
