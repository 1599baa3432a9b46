"""A new artifact in the place of an old one, between two closes."""

import asyncio
import json
import shutil

import numpy as np
import pytest
from tests.live.house import House, closes, paper

from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.inference import BookNeed, fingerprint, load_artifact, reference_of
from triptych.inference.base import AbstractPredictor
from triptych.live.journal import NoteWritten, StepRecorded
from triptych.live.reloading import Config, Reloader, watched


class NotANumber(AbstractPredictor):
    name, length = "broken", 16

    def probabilities(self, windows):
        return np.full((len(windows), 3), np.nan, dtype=np.float32)


@pytest.fixture
def place(trained, tmp_path):
    """A copy of the run's artifact, which a test may replace."""
    return shutil.copytree(open_run(trained).artifact, tmp_path / "artifact")


@pytest.fixture
def series(trained):
    return [one.head(60) for one in load_candles(open_run(trained).recipe).series]


def house_with(place, series, tmp_path):
    artifact = load_artifact(place)
    clock, gateway = paper(series)
    house = House(tmp_path / "j.db", [one.instrument for one in series], gateway, clock, predictor=artifact.predictor())
    house.ladder.levels[0].identity = fingerprint(artifact)
    return house


def reloader_of(house, place, **changes):
    options = {
        "folder": place, "build": lambda artifact: artifact.predictor(), "level": house.ladder.levels[0],
        "trader": house.trader, "timeframe": "15m", "known": house.engine.symbols, "note": house.note,
    }  # fmt: skip
    return Reloader(**(options | changes))


def rename(place, **changes):
    """Another model in the same place: its card says something else."""
    card = json.loads((place / "card.json").read_text())
    (place / "card.json").write_text(json.dumps(card | changes))


async def trade(house, found):
    for candles in found:
        house.gateway.on_candles(candles)
        house.clock.set(candles[0].close_time_ms)
        await house.trader.on_candles(candles)


def test_a_model_is_replaced_between_two_closes_and_decisions_say_which_one_they_are_of(place, series, tmp_path):
    house = house_with(place, series, tmp_path)
    reloader = reloader_of(house, place)
    every = list(closes(series))

    async def run():
        await house.trader.start()
        await trade(house, every[:30])
        assert not await reloader.check()
        assert not await reloader.check(force=True)  # the same model
        rename(place, name="second")
        assert await reloader.check()
        await trade(house, every[30:40])

    before = house.ladder.levels[0].identity
    asyncio.run(run())
    after = house.ladder.levels[0].identity
    models = [entry.record.model for entry in house.journal.entries(kinds=(StepRecorded,))]
    assert models == [f"model {before[:12]}"] * 30 + [f"model {after[:12]}"] * 10
    assert before != after
    assert house.ladder.levels[0].predictor.name == "second"
    (note,) = [entry.record for entry in house.journal.entries(kinds=(NoteWritten,)) if entry.record.topic == "reload"]
    assert note.text == f"model: model {after[:12]} has taken the place of {before[:12]}"
    house.close()


def test_after_a_reload_drift_is_held_against_what_stands_on_the_card_of_the_new_model(place, series, tmp_path):
    house = house_with(place, series, tmp_path)
    level = house.ladder.levels[0]
    level.reference = reference_of(load_artifact(place))
    before = level.reference.quantiles["confidence"]
    reloader = reloader_of(house, place)
    rename(place, reference={"confidence": [0.25 + 0.005 * i for i in range(101)]})

    async def run():
        await house.trader.start()
        await trade(house, list(closes(series))[:30])
        assert await reloader.check()
        return (await house.ladder.predict(house.engine, dict.fromkeys(house.engine.symbols, 0))).reference

    reference = asyncio.run(run())
    assert reference is level.reference
    assert reference.length == level.predictor.length
    assert reference.quantiles["confidence"][50] == pytest.approx(0.5)
    assert len(before) == 101
    assert before[0] != 0.25
    house.close()


def test_an_artifact_that_does_not_fit_is_refused_and_the_old_one_trades_on(place, series, tmp_path):
    house = house_with(place, series, tmp_path)
    every = list(closes(series))
    before = house.ladder.levels[0].identity
    whole = (place / "card.json").read_text()

    async def refused(change, **options):
        reloader = reloader_of(house, place, **options)
        change()
        assert not await reloader.check(force=True)
        (place / "card.json").write_text(whole)
        severity, topic, text, _ = house.said[-1]
        assert (severity, topic) == ("critical", "reload")
        return text.removeprefix("model: the artifact in its place is refused: ")

    async def run():
        await house.trader.start()
        await trade(house, every[:30])
        other = await refused(lambda: rename(place, timeframe="1h"))
        assert other == "it was trained on 1h, and 15m are traded."
        again = await refused(lambda: rename(place, features={"names": ["body"], "companions": ["XAU"]}))
        assert again == "it looks at XAU, which this session does not watch."
        broken = await refused(lambda: rename(place, name="b"), build=lambda artifact: NotANumber())
        assert broken.startswith("its shadow prediction failed: no probabilities for ")
        long = NotANumber()
        long.length = 999
        text = await refused(lambda: rename(place, name="l"), build=lambda artifact: long)
        assert text == f"it reads 999 candles, and this session keeps {house.engine.memory}."
        damaged = await refused(lambda: (place / "model.onnx").write_bytes(b"no graph"))
        assert damaged == f"{place / 'model.onnx'} is damaged: it is not the file its card was written for."
        gone = await refused(lambda: (place / "card.json").unlink())
        assert gone == f"{place} is no artifact: card.json is missing."
        await trade(house, every[30:40])

    asyncio.run(run())
    assert house.ladder.levels[0].identity == before
    assert {e.record.model for e in house.journal.entries(kinds=(StepRecorded,))} == {f"model {before[:12]}"}
    house.close()


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (None, "it reads 5 levels of order book a side, and this session keeps no order books: stop, and start with "
               "it."),
        (BookNeed(levels=4, max_age_ms=5000),
         "it reads 5 levels of order book a side, and this session keeps 4: stop, and start with it."),
        (BookNeed(levels=9, max_age_ms=5001),
         "it reads order books of up to 5000 ms, and this session keeps those of up to 5001 ms: stop, and start with "
         "it."),
        (BookNeed(levels=9, max_age_ms=4999),
         "it reads the order books of its companions, and this session keeps those of what is traded: stop, and start "
         "with it."),
    ],
)  # fmt: skip
def test_a_model_that_reads_other_order_books_than_the_session_keeps_is_refused(place, series, tmp_path, kept, reason):
    house = house_with(place, series, tmp_path)
    reloader = reloader_of(house, place, books=kept)
    rename(place, books={"levels": 5, "max_age_ms": 5000, "companions": 1})
    assert not asyncio.run(reloader.check())
    assert house.said[-1][2] == f"model: the artifact in its place is refused: {reason}"
    house.close()


def test_artifacts_are_looked_at_again_and_again_and_at_once_when_asked():
    class Counting:
        def __init__(self):
            self.looks = []

        async def check(self, *, force):
            self.looks.append(force)

    async def run():
        one, other = Counting(), Counting()
        async with watched([one, other], Config(check_seconds=0.05)) as ask:
            while len(one.looks) < 2:
                await asyncio.sleep(0.01)
            ask()
            while True not in other.looks:
                await asyncio.sleep(0.01)
        return one.looks

    assert asyncio.run(run())[0] is False
