"""Combiners are fitted on what was out of fold and settled before their test segment, and on nothing else."""

import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.inference.combiner import Config
from triptych.training.samples import Samples
from triptych.training.stacking import Votes, fit_combiner, skill_weights

HOUR_MS = 3_600_000
N, HORIZON, FOLDS = 900, 4, 3
STARTS = [0, 300 * HOUR_MS, 600 * HOUR_MS]


def votes(*, overlap=0, seed=0) -> Votes:
    """Three folds of 300 samples. `a` knows the label by half; with `overlap` labels reach into the next fold."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 3, N)
    said = random.dirichlet([4.0, 4.0, 4.0], (N, 2))
    said[:, 0] = 0.5 * said[:, 0] + 0.5 * np.eye(3)[np.where(random.random(N) < 0.6, label, random.integers(0, 3, N))]
    said = np.clip(said, 0.01, 1)
    said /= said.sum(axis=2, keepdims=True)
    time = np.arange(1, N + 1) * HOUR_MS
    end = np.minimum(time + (HORIZON + overlap) * HOUR_MS, (N + HORIZON) * HOUR_MS)
    fold = np.arange(N) // 300
    stop = (fold + 1) * 300 * HOUR_MS
    end = end if overlap else np.minimum(end, stop)
    return Votes(
        samples=Samples(
            instrument=np.zeros(N, dtype=np.int64), index=np.arange(N), label=label, time_ms=time, end_ms=end,
            uniqueness=np.full(N, 1 / HORIZON),
        ),
        fold=fold,
        votes=said,
        regime=random.normal(size=(N, 2)),
        forward_return=(label - 1) * 0.01 + random.normal(0, 0.001, N),
    )  # fmt: skip


def fit(method, some, fold=2, **options):
    config = Config(method=method, minimum_samples=100, **options)
    return fit_combiner(config, ("a", "b"), some, fold=fold, start_ms=STARTS[fold], cost=0.0015)


def poisoned(some: Votes, keep) -> Votes:
    """Everything outside of `keep` turned upside down."""
    wrong = ~keep
    return Votes(
        samples=Samples(
            **{
                name: np.where(wrong, 2 - value, value) if name == "label" else value
                for name, value in ((n, getattr(some.samples, n)) for n in Samples.__dataclass_fields__)
            }
        ),
        fold=some.fold,
        votes=np.where(wrong[:, None, None], some.votes[:, ::-1, ::-1], some.votes),
        regime=np.where(wrong[:, None], -9.0, some.regime),
        forward_return=np.where(wrong, -some.forward_return, some.forward_return),
    )


@pytest.mark.parametrize("method", ["skill", "stacking", "meta"])
def test_predictions_of_the_segment_itself_and_of_later_ones_never_reach_the_fit(method):
    some = votes()
    combiner = fit(method, some, fold=1)
    assert combiner.samples <= 300
    assert combiner.until_ms <= STARTS[1]
    assert fit(method, poisoned(some, some.fold < 1), fold=1) == combiner
    assert fit(method, poisoned(some, some.fold < 0), fold=1) != combiner  # the test can fail


@pytest.mark.parametrize("method", ["skill", "stacking", "meta"])
def test_labels_that_settle_after_the_segment_has_begun_are_purged(method):
    some = votes(overlap=20)
    combiner = fit(method, some)
    settled = some.samples.end_ms <= STARTS[2]
    assert (settled[some.fold < 2]).sum() == 576  # the last 24 of 600 reach into the segment
    assert combiner.samples <= 576
    assert combiner.until_ms == STARTS[2]
    assert fit(method, poisoned(some, settled & (some.fold < 2))) == combiner


def test_stacking_learns_whom_to_believe():
    some = votes()
    test = some.fold == 2
    found = fit("stacking", some).combine(some.votes[test], some.regime[test])
    hit = (found.probabilities.argmax(axis=1) == some.samples.label[test]).mean()
    mean = (some.votes[test].mean(axis=1).argmax(axis=1) == some.samples.label[test]).mean()
    assert hit > mean + 0.01
    assert np.allclose(found.probabilities.sum(axis=1), 1.0)


def test_meta_labelling_gives_the_chance_that_the_side_is_right_after_costs():
    some = votes()
    test = some.fold == 2
    found = fit("meta", some, side="a").combine(some.votes[test], some.regime[test])
    sides = found.allowed
    right = sides * some.forward_return[test] > 0.0015
    said = found.probabilities[np.arange(test.sum()), sides + 1]
    assert said[right].mean() > said[~right].mean() + 0.2
    assert abs(said.mean() - right.mean()) < 0.06


def test_weights_by_skill_follow_whoever_was_right_lately():
    some = votes()
    a, b = fit("skill", some).weights
    assert a > 0.9  # `a` knows the label, `b` draws lots
    assert a + b == pytest.approx(1.0)
    lately = some.fold == 1  # there the two change places
    swapped = Votes(
        samples=some.samples, fold=some.fold, regime=some.regime, forward_return=some.forward_return,
        votes=np.where(lately[:, None, None], some.votes[:, ::-1], some.votes),
    )  # fmt: skip
    assert fit("skill", swapped).weights == pytest.approx((0.5, 0.5), abs=0.2)
    assert fit("skill", swapped, half_life_days=2.0).weights[1] > 0.7


def test_weights_by_skill_are_those_of_the_exponentially_weighted_forecaster():
    some = votes()
    past = some.only(np.arange(N) < 2)
    past = Votes(
        samples=past.samples, fold=past.fold, regime=past.regime, forward_return=past.forward_return,
        votes=np.eye(3)[np.stack([past.samples.label, (past.samples.label + 1) % 3], axis=1)],
    )  # fmt: skip
    # One half-life old, two labels worth a quarter each: n = 0.25. `a` is never wrong, `b` always loses a whole 1.
    now_ms = int(past.samples.time_ms.mean()) + 10 * 24 * HOUR_MS
    found = skill_weights(past, now_ms, 10.0)
    rate = np.sqrt(8 * np.log(2))
    assert found[1] == pytest.approx(np.exp(-rate * 0.25) / (1 + np.exp(-rate * 0.25)), rel=1e-3)


def test_the_penalty_draws_the_coefficients_to_zero():
    some = votes()
    loose, tight = (np.abs(fit("stacking", some, l2=l2).coefficients).max() for l2 in (1.0, 1e5))
    assert tight < 0.01 < loose


def test_what_does_not_learn_looks_at_nothing():
    combiner = fit_combiner(Config(method="vote", weights={"b": 3.0}), ("a", "b"), votes(), fold=0, start_ms=0)
    assert (combiner.weights, combiner.samples, combiner.until_ms) == ((0.25, 0.75), 0, None)


def test_the_first_segment_has_nothing_to_learn_from():
    with pytest.raises(NotEnoughData) as caught:
        fit("stacking", votes(), fold=0)
    assert str(caught.value) == (
        "The stacking of test segment 0 has 0 out-of-fold samples of 0 kinds to learn from; it needs 100 of 3. "
        "Bring more candles, ask for fewer folds, or lower consensus.minimum_samples."
    )
