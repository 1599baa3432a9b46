import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.training.books.labels import UNKNOWN, Config, classes_of, fit_threshold, future_moves

MID = np.array([100.0, 100.0, 101.0, 103.0, 100.0, 100.0])


def test_a_move_is_the_mean_mid_of_the_next_rows_against_the_mid_now() -> None:
    moves = future_moves(MID, np.zeros(6, dtype=np.int64), 2)
    assert moves[:4].tolist() == pytest.approx([50.0, 200.0, 49.504950495, -291.262135922])
    assert np.isnan(moves[4:]).all()


def test_no_label_reaches_from_one_stretch_to_the_next() -> None:
    moves = future_moves(MID, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert np.isfinite(moves).tolist() == [True, False, False, True, False, False]


def test_a_mid_that_is_not_known_leaves_the_labels_over_it_unknown() -> None:
    mid = MID.copy()
    mid[2] = np.nan
    assert np.isfinite(future_moves(mid, np.zeros(6, dtype=np.int64), 1)).tolist() == [
        True,
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_mid_that_stands_still_moves_by_nothing_at_all() -> None:
    assert future_moves(np.full(50, 64_020.05), np.zeros(50, dtype=np.int64), 7)[:43].tolist() == [0.0] * 43


def test_classes_are_sell_hold_buy_and_the_threshold_itself_holds() -> None:
    assert classes_of(np.array([-3.0, -2.0, 0.0, 2.0, 2.1, np.nan]), 2.0).tolist() == [0, 1, 1, 1, 2, UNKNOWN]


def test_the_threshold_lets_the_wanted_share_of_the_training_rows_hold() -> None:
    moves = np.linspace(-9.0, 9.0, 1001)
    threshold = fit_threshold(moves, Config(hold_share=0.5))
    assert threshold == pytest.approx(4.5)
    assert np.mean(classes_of(moves, threshold) == 1) == pytest.approx(0.5, abs=0.01)
    assert fit_threshold(moves, Config(threshold="fixed", threshold_bp=3.0)) == 3.0


def test_rounding_never_becomes_a_direction() -> None:
    assert fit_threshold(np.full(10, 2e-12), Config()) == 1e-6


def test_training_rows_without_a_label_are_refused() -> None:
    with pytest.raises(NotEnoughData) as caught:
        fit_threshold(np.full(5, np.nan), Config(horizon=7))
    assert str(caught.value) == (
        "No row of the training part has a label over 7 rows. Bring longer recordings, or shorten `target.horizon`."
    )
