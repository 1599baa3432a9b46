from hypothesis import given
from hypothesis import strategies as st

from triptych.training.tuning.pruning import should_prune

OTHERS = [[0.1, 0.3], [0.2, 0.0], [0.3, 0.1], [0.4], [0.5]]


def test_below_the_median_of_as_many_folds_it_is_given_up():
    assert should_prune([0.29], OTHERS, below=50, after=5)  # the median of the first folds is 0.3
    assert not should_prune([0.3], OTHERS, below=50, after=5)


def test_after_two_folds_means_of_two_are_compared():
    # 0.2, 0.1 and 0.2 have come as far: the median is 0.2
    assert should_prune([0.3, 0.08], OTHERS, below=50, after=3)
    assert not should_prune([0.3, 0.12], OTHERS, below=50, after=3)


def test_too_few_that_came_as_far_give_nobody_up():
    assert not should_prune([-1.0, -1.0], OTHERS, below=50, after=4)
    assert not should_prune([], OTHERS, below=50, after=1)


def test_percentile_0_gives_nobody_up():
    assert not should_prune([-1.0], OTHERS, below=0, after=1)


@given(st.permutations(OTHERS), st.floats(-1, 1))
def test_the_order_of_the_others_does_not_matter(others, skill):
    assert should_prune([skill], others, below=50, after=5) == should_prune([skill], OTHERS, below=50, after=5)
