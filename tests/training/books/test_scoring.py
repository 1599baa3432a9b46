import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from tests.fakes.books import leaning_tape

from triptych.domain.errors import DataError
from triptych.market.books import queue_imbalance
from triptych.training.books.labels import classes_of, future_moves
from triptych.training.books.rule import fit_queue_rule
from triptych.training.books.scoring import score_books


def sides(n=900, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    good = np.where(random.random(n) < 0.5, labels, random.integers(0, 3, n))
    time = 100 * np.arange(n, dtype=np.int64)
    return labels, good, random.integers(0, 3, n), time


def test_metrics_are_those_of_scikit_learn() -> None:
    labels, good, chance, time = sides()
    found = score_books({"a": good, "b": chance}, labels, time, time + 100, resamples=100)
    for name, said in (("a", good), ("b", chance)):
        metrics = {metric: one.value for metric, one in found.metrics[name].items()}
        assert metrics == pytest.approx(
            {
                "macro_f1": f1_score(labels, said, average="macro"),
                "weighted_f1": f1_score(labels, said, average="weighted"),
                "mcc": matthews_corrcoef(labels, said),
                "accuracy": accuracy_score(labels, said),
            }
        )
    assert found.counts == tuple(np.bincount(labels))
    assert found.samples == 900


@pytest.mark.parametrize("apart", ["folds", "instruments"])
def test_one_class_a_fold_or_an_instrument_is_no_skill_however_the_classes_are_shared_out(apart):
    random = np.random.default_rng(0)
    part = np.repeat([0, 1], 600)
    labels = np.where(random.random(1200) < 0.6, 1 + part, random.integers(0, 3, 1200))
    constant, knows = 1 + part, np.where(random.random(1200) < 0.3, labels, 1)
    time = 100 * (np.arange(1200) if apart == "folds" else np.tile(np.arange(600), 2)).astype(np.int64)
    assert matthews_corrcoef(labels, constant) > 0.3
    found = score_books(
        {"a": constant, "b": knows, "hold": np.ones_like(labels)}, labels, time, time + 100, resamples=100,
        **{apart: part},
    )  # fmt: skip
    skill, lift = found.metrics["a"]["mcc"], found.lift["hold"]["mcc"]
    assert (skill.low, skill.value, skill.high) == (lift.low, lift.value, lift.high) == (0.0, 0.0, 0.0)
    assert found.only == {"a": "hold or buy", "b": "", "hold": "hold"}
    # Who knows something within each is given what the two are worth by their rows.
    within = [matthews_corrcoef(labels[part == one], knows[part == one]) for one in (0, 1)]
    assert found.metrics["b"]["mcc"].value == pytest.approx(np.mean(within))
    assert found.metrics["b"]["accuracy"].value == pytest.approx(accuracy_score(labels, knows))


def test_the_lift_over_another_predictor_is_paired() -> None:
    labels, good, chance, time = sides()
    found = score_books({"a": good, "same": good, "b": chance}, labels, time, time + 100, resamples=100)
    same, better = found.lift["same"]["mcc"], found.lift["b"]["mcc"]
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    assert better.low > 0.2
    assert better.value == pytest.approx(found.metrics["a"]["mcc"].value - found.metrics["b"]["mcc"].value)


def test_labels_that_overlap_widen_the_intervals() -> None:
    labels, good, _, time = sides()
    # Right and wrong in spells of 30 rows, as labels that overlap make them.
    good = np.where(np.repeat(np.random.default_rng(3).random(30) < 0.5, 30), labels, good)
    widths = []
    for span in (1, 20):
        one = score_books({"a": good}, labels, time, time + 100 * span, resamples=300).metrics["a"]["mcc"]
        widths.append(one.high - one.low)
    assert widths[1] > 1.2 * widths[0]


def test_predictions_of_another_length_are_refused() -> None:
    labels, good, _, time = sides()
    with pytest.raises(DataError, match=r"^Expected 900 predictions of each kind, and at least one\.$"):
        score_books({"a": good[1:]}, labels, time, time + 100)


def test_the_rule_sells_and_buys_as_often_as_its_training_labels() -> None:
    queue = np.linspace(-1, 1, 1001)
    labels = np.array([0] * 100 + [1] * 701 + [2] * 200)
    rule = fit_queue_rule(queue, labels)
    assert (rule.low, rule.high) == pytest.approx((-0.8, 0.6), abs=2e-3)
    assert np.bincount(rule.classes(queue)).tolist() == pytest.approx([100, 701, 200], abs=1)


def test_the_rule_finds_what_the_queue_says_and_nothing_where_it_says_nothing() -> None:
    found = {}
    for lean in (1.2, 0.0):
        tape = leaning_tape(3000, seed=4, lean=lean)
        labels = classes_of(future_moves(tape.mid, tape.segment, 20), 0.2)
        queue, known = queue_imbalance(tape), labels >= 0
        rule = fit_queue_rule(queue[:1500], labels[:1500])
        test = slice(1520, int(known.sum()))
        found[lean] = matthews_corrcoef(labels[test], rule.classes(queue[test]))
    assert found[1.2] > 0.3
    assert abs(found[0.0]) < 0.1
