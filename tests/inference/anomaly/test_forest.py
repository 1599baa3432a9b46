import numpy as np
from sklearn.ensemble import IsolationForest

from triptych.inference.anomaly.forest import Forest

ROWS = np.random.default_rng(0).standard_normal((600, 4)).astype(np.float32)


def test_the_walked_forest_scores_as_scikit_learn_does():
    theirs = IsolationForest(n_estimators=30, random_state=5).fit(ROWS)
    np.testing.assert_allclose(
        Forest.grow(ROWS, trees=30, seed=5).scores(ROWS), -theirs.score_samples(ROWS), rtol=0, atol=1e-12
    )


def test_a_row_alone_scores_as_among_others():
    forest = Forest.grow(ROWS, trees=10, seed=1)
    np.testing.assert_array_equal(forest.scores(ROWS[7:8]), forest.scores(ROWS)[7:8])


def test_two_rows_need_one_cut_and_their_trees_are_told_by_hand():
    forest = Forest.grow(np.array([[0.0], [1.0]], dtype=np.float32), trees=3, seed=0)
    # c(2) = 1 and every row stands alone after one cut: 2^-1
    np.testing.assert_array_equal(forest.scores(np.array([[0.0], [1.0], [9.0]], dtype=np.float32)), [0.5, 0.5, 0.5])


def test_arrays_bring_it_back():
    forest = Forest.grow(ROWS, trees=10, seed=1)
    np.testing.assert_array_equal(Forest.of_arrays(forest.arrays()).scores(ROWS), forest.scores(ROWS))
