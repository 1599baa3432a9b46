import numpy as np
import pytest

from triptych.bootstrap.books.pictures import draw_scores, draw_walls
from triptych.bootstrap.books.spoofing_trial import try_spoofing
from triptych.market.books.walls import Config as WallsConfig
from triptych.market.books.walls import find_walls
from triptych.market.synthetic.spoofing import Config, simulate_spoofing


def test_a_higher_threshold_is_more_precise_and_finds_less():
    low, high = try_spoofing(Config(seed=0), thresholds=(0.1, 0.6), streams=2)
    assert low.planted == high.planted > 30
    assert low.recall.value > high.recall.value
    assert high.precision.value > low.precision.value
    assert high.precision.value > 0.8
    assert high.precision.low < high.right / high.alarms == high.precision.value < high.precision.high
    assert sum(low.false_by_kind.values()) == low.alarms - low.right
    assert low.delay_rows == 3.0  # one row to see that they are gone, two to see what else is


def test_without_alarms_there_is_no_precision_and_no_delay():
    (one,) = try_spoofing(Config(seed=0, episodes=10, lure=1.01, large=1.5), thresholds=(1.0,), streams=1)
    assert (one.alarms, one.recall.value, one.recall.low) == (0, 0.0, 0.0)
    assert one.recall.high == pytest.approx(1 / (1 + one.planted / 1.96**2), rel=1e-3)  # Wilson's, of none found
    assert np.isnan(one.precision.value)
    assert np.isnan(one.delay_rows)


def test_walls_and_scores_are_drawn(tmp_path):
    made = simulate_spoofing(Config(episodes=4))
    path = draw_walls(made.tape, find_walls(made.tape, WallsConfig(multiple=4.0)), tmp_path / "walls.png")
    one = {"value": 0.1, "low": 0.0, "high": 0.2}
    metrics = {name: {"mcc": one, "macro_f1": one} for name in ("network", "queue imbalance", "majority")}
    other = draw_scores({"deeplob": {"scores": {"metrics": metrics}}}, tmp_path / "scores.png")
    for file in (path, other):
        assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
