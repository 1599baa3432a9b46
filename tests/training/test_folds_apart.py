from __future__ import annotations

import numpy as np
import pytest

from triptych.training.folds_apart import FoldsApart, only_said
from triptych.training.metrics import Scorer


def _answers(classes):
    return np.eye(3)[np.asarray(classes)]


def test_a_class_that_differs_from_fold_to_fold_is_no_skill_though_over_all_samples_it_looks_like_one():
    labels = np.array([2, 2, 2, 0, 0, 0, 0, 2])
    folds = np.repeat([0, 1], 4)
    said = _answers([2, 2, 2, 2, 0, 0, 0, 0])
    assert Scorer(said, labels).values()["mcc"] == pytest.approx(0.5)
    assert FoldsApart(said, labels, folds).values()["mcc"] == 0.0


def test_a_metric_is_the_mean_of_the_folds_by_their_samples():
    rng = np.random.default_rng(3)
    labels, said = rng.integers(0, 3, 90), rng.dirichlet(np.ones(3), 90)
    folds = np.repeat([4, 7], [30, 60])
    apart = [Scorer(said[folds == fold], labels[folds == fold]).values()["mcc"] for fold in (4, 7)]
    assert FoldsApart(said, labels, folds).values()["mcc"] == pytest.approx(apart[0] / 3 + 2 * apart[1] / 3)


def test_a_resample_weighs_samples_and_with_them_folds():
    rng = np.random.default_rng(4)
    labels, said = rng.integers(0, 3, 40), rng.dirichlet(np.ones(3), 40)
    folds = np.repeat([0, 1], 20)
    weights = rng.integers(0, 3, (40, 5)).astype(np.float64)
    weights[20:, 4] = 0.0
    found = FoldsApart(said, labels, folds)(weights)["mcc"]
    first = Scorer(said[:20], labels[:20])(weights[:20])["mcc"]
    second = Scorer(said[20:], labels[20:])(weights[20:, :4])["mcc"]
    shares = weights[:20, :4].sum(axis=0) / weights[:, :4].sum(axis=0)
    assert found[:4] == pytest.approx(shares * first[:4] + (1 - shares) * second)
    assert found[4] == pytest.approx(first[4])


@pytest.mark.parametrize(
    ("classes", "only"), [([1, 1, 1, 1], "hold"), ([0, 0, 2, 2], "sell or buy"), ([1, 1, 1, 2], "")], ids=str
)
def test_who_says_one_class_in_each_fold_is_known(classes, only):
    assert only_said(classes, [0, 0, 1, 1]) == only
