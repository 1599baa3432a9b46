"""Detectors in one table are judged on the same rows: those that every one of them has scored."""

import numpy as np
import pytest
from benchmarks._detection import Scored
from benchmarks._recorded import Recording, judged_together, kept, score_machines
from benchmarks.catch_tables import by_seed, on_recording, tables

from triptych.training.anomaly.metrics import judge
from triptych.training.anomaly.pieces import Pieces


@pytest.fixture
def path(tmp_path):
    generator = np.random.default_rng(0)
    test = generator.standard_normal((400, 2))
    labels = np.zeros(400, dtype=int)
    labels[[*range(60, 80), *range(250, 280), *range(200, 205)]] = 1
    test[labels == 1] += 4
    np.savez(
        tmp_path / "two.npz", x_train=generator.standard_normal((1500, 2)), x_test=test, y_test=labels,
        columns=np.array(["a", "b"]), test_len=np.array([200, 200]),
    )  # fmt: skip
    return tmp_path / "two.npz"


def scored(known, seed):
    scores = np.random.default_rng(seed).standard_normal(400)
    return Scored(scores=np.where(known, scores, 0.0), known=known, threshold=1.0)


def test_all_are_judged_on_the_rows_that_each_has_scored(path):
    one = Recording.read(path)
    warm = np.tile(np.arange(200) >= 30, 2)
    found = {("with memory", 1): scored(warm, 1), ("without", 1): scored(np.ones(400, dtype=bool), 2)}
    figures, sentence = judged_together(one, found)
    pieces = Pieces(known=warm, starts=[0, 200])
    for key, each in found.items():
        alone = judge(one.labels.astype(int), each.scores, each.scores > 1.0, pieces=pieces, rows_per_day=1000.0)
        assert figures[key]["auc_roc"] == alone.auc_roc
        assert figures[key]["vus_pr"] == alone.vus_pr
        assert (figures[key]["events"], figures[key]["events_left_out"]) == (2, 1)
    assert sentence == (
        "Judged are the 340 of 400 rows that every detector has scored, in 2 recordings; 5 of the 60 others are "
        "anomalous. 1 of 3 events lie wholly in rows left out and are not judged."
    )


def test_kept_scores_are_judged_again_without_a_fit(path, tmp_path):
    for name, seed in (("pca", 21), ("zscore", 21)):
        score_machines(name, path, tmp_path / f"two_{name}_{seed}.npz", seed=seed)
    assert kept(tmp_path / "two_pca_21.npz").known.all()
    cells = {"pca": {21: {"threshold": 1.0}}, "zscore": {21: {}}, "catch": {21: {"auc_roc": 0.9}}}  # an old cell
    judged, sentence = on_recording(path, tmp_path, cells)
    assert set(judged) == {"pca", "zscore"}
    assert judged["zscore"][21]["auc_roc"] > 0.9
    assert sentence.startswith("Judged are the 400 of 400 rows")
    printed = tables({"two": judged}, {"two": sentence})
    assert sentence in printed
    assert "alarm ran before" in printed


def test_types_are_told_seed_by_seed_and_whether_each_is_good_enough():
    good = {f"auc {kind}": 0.9 for kind in ("overall", "decoupling", "stale_feed", "periodic_algorithm")}
    rows = {"catch": {22: good | {"auc decoupling": 0.79}, 21: good}}
    lines = by_seed("market", rows).splitlines()
    assert lines[2] == "| catch | 21 | 0.900 | 0.900 | 0.900 | 0.900 | yes |"
    assert lines[3] == "| catch | 22 | 0.900 | 0.790 | 0.900 | 0.900 | no: decoupling |"
