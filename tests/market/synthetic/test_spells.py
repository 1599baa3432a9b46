import numpy as np
import pytest

from triptych.market.synthetic.spells import markov_chain
from triptych.market.synthetic.streams import stream

RING = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


def chain(n: int, seed: int = 1, durations: tuple[float, float, float] = (10.0, 20.0, 30.0)) -> np.ndarray:
    return markov_chain(stream(seed, "chain"), n, first=(1.0, 0.0, 0.0), mean_duration=durations, jump=RING)


def test_time_in_a_state_is_proportional_to_its_mean_duration():
    shares = np.bincount(chain(600_000)) / 600_000
    assert shares.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.01)


def test_spells_are_geometric_with_the_mean_asked_for():
    states = chain(600_000, durations=(10.0, 10.0, 10.0))
    edges = np.flatnonzero(np.diff(states))
    lengths = np.diff(edges)
    assert lengths.mean() == pytest.approx(10.0, rel=0.02)
    assert lengths.min() == 1
    assert (lengths == 1).mean() == pytest.approx(0.1, abs=0.01)


def test_states_follow_one_another_as_the_rows_say():
    states = chain(50_000)
    before = np.flatnonzero(np.diff(states))
    assert ((states[before + 1] - states[before]) % 3 == 1).all()


def test_a_longer_chain_begins_with_the_shorter_one():
    assert np.array_equal(chain(5_000)[:137], chain(137))


def test_the_first_state_comes_from_its_own_law():
    first = [
        int(markov_chain(stream(s, "chain"), 1, first=(0.25, 0.5, 0.25), mean_duration=(9.0,) * 3, jump=RING)[0])
        for s in range(400)
    ]
    assert (np.bincount(first) / 400).tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.07)
