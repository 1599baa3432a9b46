"""Memory that is fetched ahead is not changed by it, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.images._ranks import rank_values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("places", [0, 1, 15, 4_096, 200_000])
@pytest.mark.parametrize("length", [2, 7, 64, 67])
def test_ranks_are_the_same_and_the_memory_is_as_it_was(dtype, places, length):
    values = np.random.default_rng(length).integers(0, 20, length).astype(dtype)
    coming = np.arange(places, dtype=dtype)
    ranks = np.empty(length, np.uint32)
    rank_values(values, ranks, coming)
    assert ranks.tolist() == [int((values < one).sum()) for one in values]
    assert np.array_equal(coming, np.arange(places, dtype=dtype))
