"""What was measured on real order books, which lie beside the repository and are not part of it."""

from pathlib import Path
from typing import Literal

import pytest

from triptych.market.books import read_books, read_trades
from triptych.market.books.walls import Config as WallsConfig
from triptych.market.books.walls import find_walls
from triptych.training.books.impact import Config, flow_impact

LOB = Path(__file__).resolve().parents[4] / "shared" / "data" / "lob"
BOOKS = LOB / "binance_usdm_btcusdt_20240718_book20_100ms.parquet"

pytestmark = pytest.mark.skipif(not BOOKS.exists(), reason="needs the real order books beside the repository")


def test_order_flow_explains_half_of_the_same_second_and_a_tenth_of_the_next() -> None:
    same, after, queue = flow_impact(read_books(BOOKS), Config(resamples=100))
    assert same.test_r2.value == pytest.approx(0.528, abs=0.005)
    assert after.test_r2.value == pytest.approx(0.106, abs=0.005)
    assert queue.test_r2.value == pytest.approx(0.159, abs=0.005)


@pytest.mark.parametrize(("usual", "endings", "at_touch"), [("place", [69, 34, 49], 5), ("side", [230, 221, 172], 155)])
def test_walls_of_a_real_book_are_pulled_twice_as_often_as_filled_and_by_the_median_level_the_touch_hides_it(
    usual: Literal["place", "side"], endings: list[int], at_touch: int
) -> None:
    trades = read_trades(LOB / "binance_usdm_btcusdt_20240718_trades.parquet")
    walls = find_walls(read_books(BOOKS), WallsConfig(usual=usual), trades=trades)
    found = [one for one in walls if one.rows >= 10]
    assert [sum(one.ending == kind for one in found) for kind in ("pulled", "filled", "out of sight")] == endings
    assert len(found) == sum(endings)
    assert sum(one.distance == 0 for one in found) == at_touch
