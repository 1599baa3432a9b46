"""A position that no order of ours has opened is protected as an entry would be."""

from decimal import Decimal

import pytest
from tests.live.test_faults_of_strangers import by_hand
from tests.live.wired import BTC, play


def stop_of(scene):
    return scene.server.desk.venue.protection(BTC)[0]


def test_an_adopted_position_gets_the_stop_of_the_recipe_and_keeps_it(tmp_path):
    async def act(scene):
        await by_hand(scene, "Buy", "0.3")
        scene.wish.says = 1
        await scene.close(4)  # our own entry adds to it, and brings no stop of its own
        ours, theirs = scene.held()
        assert ours == theirs > Decimal("0.3")
        close = scene.house.engine.history(BTC, 1).values[0, 3]
        assert abs(float(stop_of(scene)) / close - 0.95) < 0.01  # 5 % below the close of a moment ago
        assert scene.trader.books.stops == {BTC: (stop_of(scene), None)}
        assert [text for text in scene.told("unprotected") if "is set as for an entry now" in text]
        assert scene.house.metrics.registry.get_sample_value("triptych_unprotected_seconds_total", {"symbol": BTC}) > 0
        before = scene.trader.books.stops
        scene.trader.books.recover()  # a step was written since
        assert (scene.trader.books.stops, scene.trader.reasons()) == (before, {})

    play(tmp_path, act, policy="adopt")


@pytest.mark.parametrize("stop_loss_percent", [None, 5.0])
def test_a_stop_that_somebody_has_set_stays(tmp_path, stop_loss_percent):
    """Where the recipe sets a stop his counts as ours; where it sets none it is his own business."""

    async def act(scene):
        await by_hand(scene, "Buy", "0.3", stopLoss="15000")
        scene.wish.says = 1
        await scene.close(4)
        assert scene.held()[0] == scene.held()[1] > Decimal("0.3")
        assert stop_of(scene) == Decimal(15_000)
        assert scene.trader.books.stops == ({} if stop_loss_percent is None else {BTC: (Decimal(15_000), None)})
        assert scene.told("unprotected") == []

    play(tmp_path, act, policy="adopt", stop_loss_percent=stop_loss_percent)
