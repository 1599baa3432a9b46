import numpy as np
import pytest
from tests.fakes.books import START_MS, leaning_tape

from triptych.domain.errors import NotEnoughData
from triptych.training.books.history import history_of_tape
from triptych.training.books.labels import Config as TargetConfig
from triptych.training.books.splits import Config, book_folds

LENGTH, HORIZON = 20, 10


def histories(n=600):
    target = TargetConfig(horizon=HORIZON)
    # The second instrument starts 10 s later: the boundaries are moments, not positions.
    return [
        history_of_tape(leaning_tape(n), target, levels=3),
        history_of_tape(leaning_tape(n, seed=1, symbol="OTHER", start_ms=START_MS + 10_000), target, levels=3),
    ]


@pytest.mark.parametrize("folds", [1, 3])
def test_everything_that_a_sample_touches_lies_in_its_part(folds) -> None:
    both = histories(900)
    for fold in book_folds(both, Config(folds=folds, embargo=5), length=LENGTH, horizon=HORIZON):
        parts = zip((fold.train, fold.validation, fold.test), fold.boundaries, fold.boundaries[1:], strict=False)
        for rows_of, start, stop in parts:
            for one, rows in zip(both, rows_of, strict=True):
                assert (one.time_ms[rows - (LENGTH - 1) - 5] >= start).all()
                assert (one.time_ms[rows + HORIZON] < stop).all()


def test_folds_walk_forward_and_test_every_moment_once() -> None:
    folds = book_folds(histories(), Config(folds=3), length=LENGTH, horizon=HORIZON)
    assert [fold.boundaries[0] for fold in folds] == [START_MS] * 3
    assert [fold.boundaries[3] for fold in folds[:-1]] == [fold.boundaries[2] for fold in folds[1:]]
    assert folds[-1].boundaries[3] == START_MS + 10_000 + 599 * 100 + 1


def test_no_window_and_no_label_crosses_a_gap_or_midnight() -> None:
    midnight = 1_704_153_600_000
    tape = leaning_tape(400, start_ms=midnight - 20_000)
    for across, stretches in ((False, 2), (True, 1)):
        history = history_of_tape(tape, TargetConfig(horizon=HORIZON), levels=3, across_days=across)
        assert len(np.unique(history.stretch)) == stretches
    history = history_of_tape(tape, TargetConfig(horizon=HORIZON), levels=3)
    ends = history.windows_end(LENGTH)
    assert not ends[: LENGTH - 1].any()
    # The book of midnight itself, row 200, belongs to the day that ends.
    assert np.flatnonzero(~ends[LENGTH:]).tolist() == [*range(201 - LENGTH, 201 - LENGTH + 19)]
    assert np.isnan(history.moves_bp[191:201]).all()
    assert np.isfinite(history.moves_bp[[190, 201]]).all()


def test_a_part_without_samples_is_named() -> None:
    with pytest.raises(NotEnoughData) as caught:
        book_folds(histories(120), Config(), length=LENGTH, horizon=HORIZON)
    assert str(caught.value) == (
        "The validation part of fold 1 holds 4 samples, at least 50 are needed: a window of 20 rows, a horizon of 10 "
        "and an embargo of 0 are left out of every unbroken stretch. "
        "Bring longer recordings, shorten window or horizon, or ask for fewer folds."
    )


def test_shares_that_leave_no_test_are_refused() -> None:
    with pytest.raises(ValueError, match=r"train \+ validation must be below 1, was 1"):
        Config(train=0.6, validation=0.4)
