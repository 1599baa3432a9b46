import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain.errors import DataError
from triptych.training.metrics import BINS, RANGES, Scorer, calibration_bins, matthews_correlation

NAMES = [
    "accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "roc_auc", "brier", "calibration_error",
]  # fmt: skip


def draw(n: int, seed: int, decimals: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = np.round(random.dirichlet([1, 1, 1], n), decimals) + 1e-9
    probabilities /= probabilities.sum(1, keepdims=True)
    return probabilities, random.integers(0, 3, n)


def test_the_correlation_of_classes_is_that_of_scikit_learn():
    random = np.random.default_rng(3)
    labels, said = random.integers(0, 3, 90), random.integers(0, 3, 90)
    assert matthews_correlation(labels, said) == pytest.approx(reference.matthews_corrcoef(labels, said))
    assert matthews_correlation(labels, np.ones(90, dtype=np.int8)) == 0.0


@settings(max_examples=30, deadline=None)
@given(n=st.integers(6, 200), seed=st.integers(0, 9999), decimals=st.sampled_from([1, 6]))
def test_equal_to_scikit_learn_where_it_has_them(n, seed, decimals):
    p, y = draw(n, seed, decimals)
    y[:3] = [0, 1, 2]
    found, predicted = Scorer(p, y).values(), p.argmax(1)
    expected = {
        "accuracy": reference.accuracy_score(y, predicted),
        "macro_precision": reference.precision_score(y, predicted, average="macro", zero_division=0),
        "macro_recall": reference.recall_score(y, predicted, average="macro", zero_division=0),
        "macro_f1": reference.f1_score(y, predicted, average="macro", zero_division=0),
        "mcc": reference.matthews_corrcoef(y, predicted),
        "roc_auc": reference.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "brier": reference.brier_score_loss(y, p, labels=[0, 1, 2]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    assert Scorer(p, y).confusion.tolist() == reference.confusion_matrix(y, predicted, labels=[0, 1, 2]).tolist()


def test_the_names_and_their_order_are_fixed():
    assert list(Scorer(*draw(20, 0)).values()) == NAMES == list(RANGES)


def test_weights_are_repetitions():
    p, y = draw(40, 3)
    times = np.random.default_rng(1).integers(0, 4, size=(40, 5)).astype(np.float64)
    found = Scorer(p, y)(times)
    for column in range(5):
        rows = np.repeat(np.arange(40), times[:, column].astype(int))
        expected = Scorer(p[rows], y[rows]).values()
        for name in NAMES:
            assert found[name][column] == pytest.approx(expected[name], abs=1e-12), name


def test_calibration_error_by_hand():
    # Two confidences in two bins: 0.5 right once of two, 0.9 right both times.
    p = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.05, 0.05, 0.9], [0.05, 0.05, 0.9]])
    y = np.array([0, 1, 2, 2])
    assert Scorer(p, y).values()["calibration_error"] == pytest.approx((2 * 0.0 + 2 * 0.1) / 4)


def test_brier_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0]])
    assert Scorer(p, np.array([0, 0])).values()["brier"] == pytest.approx((0.09 + 0.04 + 0.01 + 1 + 1) / 2)


def test_bins_hold_their_upper_edge_and_empty_ones_say_so():
    p = np.array([[0.4, 0.3, 0.3], [0.4001, 0.3, 0.2999], [1.0, 0.0, 0.0]])
    bins = calibration_bins(p, np.array([0, 1, 0]))
    assert len(bins) == BINS == 15
    assert bins[5] == {"low": 5 / 15, "high": 6 / 15, "count": 1, "confidence": 0.4, "accuracy": 1.0}
    assert bins[6]["count"] == 1
    assert bins[6]["accuracy"] == 0.0
    assert bins[14]["count"] == 1
    assert bins[0] == {"low": 0.0, "high": 1 / 15, "count": 0, "confidence": None, "accuracy": None}
    assert sum(row["count"] for row in bins) == 3


def test_a_class_missing_among_the_labels_is_left_out_of_the_area():
    p, y = draw(60, 5)
    y[y == 1] = 0
    expected = np.mean([reference.roc_auc_score(y == c, p[:, c]) for c in (0, 2)])
    assert Scorer(p, y).values()["roc_auc"] == pytest.approx(expected)


def test_with_one_class_only_the_area_is_undefined_and_mcc_is_zero():
    p, _ = draw(10, 6)
    found = Scorer(p, np.full(10, 2)).values()
    assert np.isnan(found["roc_auc"])
    assert found["mcc"] == 0.0


def test_a_constant_guess_has_an_area_of_one_half_and_an_mcc_of_zero():
    _, y = draw(50, 7)
    found = Scorer(np.tile([0.2, 0.5, 0.3], (50, 1)), y).values()
    assert found["roc_auc"] == pytest.approx(0.5)
    assert found["mcc"] == 0.0


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([[0.5, 0.5]], [0], "Expected probabilities of shape (n, 3) and n labels, were (1, 2) and (1,)."),
        (np.zeros((0, 3)), [], "Expected probabilities of shape (n, 3) and n labels, were (0, 3) and (0,)."),
        ([[0.2, 0.3, 0.5]], [3], "Labels must be 0, 1 or 2, found 3 to 3."),
        ([[0.2, 0.3, 0.5]], [-1], "Labels must be 0, 1 or 2, found -1 to -1."),
        ([[0.2, np.nan, 0.5]], [1], "Row 0 is not a probability distribution: [0.2, nan, 0.5]."),
        ([[0.2, 0.3, 0.5], [0.2, 0.3, 0.6]], [1, 1], "Row 1 is not a probability distribution: [0.2, 0.3, 0.6]."),
    ],
)
def test_what_is_no_prediction_is_refused(p, y, message):
    with pytest.raises(DataError) as error:
        Scorer(np.array(p), np.array(y, dtype=np.int64))
    assert str(error.value) == message


def _answers(classes):
    return np.eye(3)[np.asarray(classes)]


def test_a_class_that_differs_from_fold_to_fold_is_no_skill_though_over_all_samples_it_looks_like_one():
    labels = np.array([2, 2, 2, 0, 0, 0, 0, 2])
    folds = np.repeat([0, 1], 4)
    said = _answers([2, 2, 2, 2, 0, 0, 0, 0])
    assert Scorer(said, labels).values()["mcc"] == pytest.approx(0.5)
    assert Scorer(said, labels, folds).values()["mcc"] == 0.0


def test_the_correlation_is_the_mean_of_the_folds_by_their_samples():
    rng = np.random.default_rng(3)
    labels, said = rng.integers(0, 3, 90), rng.dirichlet(np.ones(3), 90)
    folds = np.repeat([4, 7], [30, 60])
    apart = [Scorer(said[folds == fold], labels[folds == fold]).values()["mcc"] for fold in (4, 7)]
    assert Scorer(said, labels, folds).values()["mcc"] == pytest.approx(apart[0] / 3 + 2 * apart[1] / 3)


def test_a_resample_weighs_samples_and_with_them_folds():
    rng = np.random.default_rng(4)
    labels, said = rng.integers(0, 3, 40), rng.dirichlet(np.ones(3), 40)
    folds = np.repeat([0, 1], 20)
    weights = rng.integers(0, 3, (40, 5)).astype(np.float64)
    weights[20:, 4] = 0.0
    found = Scorer(said, labels, folds)(weights)["mcc"]
    first = Scorer(said[:20], labels[:20])(weights[:20])["mcc"]
    second = Scorer(said[20:], labels[20:])(weights[20:, :4])["mcc"]
    shares = weights[:20, :4].sum(axis=0) / weights[:, :4].sum(axis=0)
    assert found[:4] == pytest.approx(shares * first[:4] + (1 - shares) * second)
    assert found[4] == pytest.approx(first[4])
