from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.fakes.windows import books_of

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.export import export_onnx, largest_difference
from triptych.models import create_model, search_space


def parameters_of(**options: object) -> int:
    return sum(one.numel() for one in create_model("deeplob", **options).parameters())


def test_it_has_as_many_parameters_as_the_paper_with_a_hundred_books_of_ten_levels_and_three_classes() -> None:
    assert parameters_of(in_chans=1, num_classes=3) == 143_907


def test_a_narrow_one_is_much_smaller_and_has_the_same_shape() -> None:
    assert parameters_of(in_chans=1, num_classes=3, width=0.25) == 9_483
    network = create_model("deeplob", in_chans=1, num_classes=3, width=0.25, seed=1).eval()
    assert network(torch.rand(2, 1, 100, 40)).shape == (2, 3)
    assert network.forward_features(torch.rand(2, 1, 100, 40)).shape == (2, 16, 82, 1)


def test_the_seed_fixes_the_first_weights_and_leaves_the_callers_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = (create_model("deeplob", in_chans=1, num_classes=3, width=0.25, seed=9) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    x = torch.rand(2, 1, 30, 40)
    assert torch.equal(first.eval()(x), second.eval()(x))


def test_an_image_of_another_width_is_refused() -> None:
    network = create_model("deeplob", in_chans=1, num_classes=3, levels=5, width=0.25)
    with pytest.raises(RecipeError) as caught:
        network(torch.rand(1, 1, 50, 40))
    assert str(caught.value) == (
        "deeplob with 5 levels reads images of more than 18 rows and 20 columns, was 50 x 40. Use the encoding "
        "book_levels with as many levels (`model.levels`), and longer windows."
    )


def test_without_classes_the_last_state_comes_out_and_a_classifier_can_be_put_on_again() -> None:
    network = create_model("deeplob", in_chans=1, num_classes=0, width=0.25).eval()
    assert network(torch.rand(2, 1, 40, 40)).shape == (2, 16)
    network.reset_classifier(5)
    assert network(torch.rand(2, 1, 40, 40)).shape == (2, 5)


def test_feature_maps_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"^deeplob reads rows of a book and has no feature maps\. Leave out"):
        create_model("deeplob", in_chans=1, features_only=True)


def test_the_exported_graph_with_its_encoding_says_what_the_network_says(tmp_path) -> None:
    classifier = WindowClassifier(
        create_encoding("book_levels", 30, levels=4),
        create_model("deeplob", in_chans=1, num_classes=3, levels=4, width=0.25, seed=2),
    )
    export_onnx(classifier.eval(), 30, tmp_path / "model.onnx", width=16)
    rows = books_of(60, 4)
    windows = np.stack([rows[i : i + 30] for i in range(20)]).astype(np.float32)
    assert largest_difference(classifier, tmp_path / "model.onnx", windows) < 1e-4


def test_a_search_varies_its_width_only() -> None:
    assert sorted(search_space("deeplob").space) == ["depth", "width"]
