"""Walls and signs of spoofing as they are read beside candles."""

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.books import START_MS, leaning_tape

from triptych.domain.errors import ArtifactError
from triptych.inference import BookNeed
from triptych.inference.book_rows import RowsConfig, WallReader
from triptych.market.books.row_reading import notes_of
from triptych.market.books.spoofing import Config, find_spoofing
from triptych.market.synthetic.spoofing import Config as StreamConfig
from triptych.market.synthetic.spoofing import simulate_spoofing

ROWS, LEVELS = 40, 10
READER = WallReader(RowsConfig(every_ms=100, rows=ROWS, multiple=5.0, layer_multiple=3.0))


def quiet(n=ROWS):
    """Books that never change: 1 at every level, a tick of 0.1 apart."""
    step = np.arange(LEVELS) / 10
    one = np.ones(LEVELS)
    return np.tile(np.concatenate([99.95 - step, one, 100.05 + step, one]), (n, 1))


def read(rows):
    return dict(zip(READER.names, READER.read(rows).tolist(), strict=True))


def test_of_a_book_without_walls_the_deepest_level_is_told():
    assert read(quiet()) == {
        "bid_wall_bp": pytest.approx(95.0), "bid_wall_size": 0.0, "bid_wall_age": 0.0,
        "ask_wall_bp": pytest.approx(95.0), "ask_wall_size": 0.0, "ask_wall_age": 0.0,
        "spoofing_bid": 0.0, "spoofing_ask": 0.0,
    }  # fmt: skip


def test_the_nearest_wall_that_stands_is_told():
    rows = quiet()
    rows[25:, LEVELS + 6] = 20.0  # bids at 99.35, from row 25
    rows[30:, LEVELS + 3] = 8.0  # and nearer, at 99.65
    rows[22:30, 3 * LEVELS + 2] = 30.0  # an ask that is gone again
    found = read(rows)
    assert found["bid_wall_bp"] == pytest.approx(35.0)
    assert found["bid_wall_size"] == pytest.approx(np.log(8.0))
    assert found["bid_wall_age"] == pytest.approx(10 / ROWS)
    assert (found["ask_wall_size"], found["ask_wall_age"]) == (0.0, 0.0)
    assert found["ask_wall_bp"] == pytest.approx(95.0)


def test_layers_that_are_pulled_together_are_scored_on_their_side():
    rows = quiet()
    rows[24:32, 3 * LEVELS + 4 : 3 * LEVELS + 7] = 12.0
    found = read(rows)
    assert found["spoofing_ask"] == pytest.approx(1.0)  # all four marks are full
    assert found["spoofing_bid"] == 0.0


def test_without_trades_the_score_is_that_without_the_mark_of_lure():
    stream = simulate_spoofing(StreamConfig(seed=5, episodes=14, large=12.0, lure=5.0))
    config = Config(threshold=1e-6)
    bare = find_spoofing(stream.tape, None, config)
    assert len(bare) > 4
    by_place = {(one.side, one.known_at): one for one in bare}
    for one in find_spoofing(stream.tape, stream.trades, config):
        other = by_place[one.side, one.known_at]
        assert "lure" not in other.marks
        assert other.score * one.marks["lure"] == pytest.approx(one.score)


@pytest.mark.parametrize("cut", [9_900, 20_000, 37_300])
def test_no_note_peeks(cut):
    tape = leaning_tape(600, levels=LEVELS)
    sizes = tape.bid_sizes.copy()
    sizes[np.arange(600) % 50 > 20, 4] *= 12
    tape = replace(tape, bid_sizes=sizes)
    close = START_MS + 1_000 * np.arange(1, 60)
    known = close <= START_MS + cut
    short = tape.between(0, int(np.searchsorted(tape.time_ms, START_MS + cut, side="right")))
    whole, cut_off = notes_of(tape, close, [READER], 1_000), notes_of(short, close[known], [READER], 1_000)
    assert len(np.unique(whole["bid_wall_age"])) > 3
    for name in READER.names:
        np.testing.assert_array_equal(cut_off[name], whole[name][known])


def test_two_models_that_read_walls_in_two_ways_do_not_share_candles():
    def need(multiple, levels):
        readers = (WallReader(RowsConfig(multiple=multiple)),)
        return BookNeed(levels=levels, max_age_ms=levels * 100, readers=readers)

    both = BookNeed.together([need(8.0, 5), None, need(8.0, 9)])
    assert (both.levels, both.max_age_ms, len(both.readers)) == (9, 500, 1)
    with pytest.raises(ArtifactError, match="Two models read bid_wall_bp and what goes with it"):
        BookNeed.together([need(8.0, 5), need(6.0, 5)])
