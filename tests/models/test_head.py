from __future__ import annotations

import pytest
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.head import create_classifier


def test_classes_get_a_linear_layer_and_no_classes_none() -> None:
    assert create_classifier(8, 3, "avg").weight.shape == (3, 8)
    assert isinstance(create_classifier(8, 0, ""), nn.Identity)


def test_a_classifier_without_pooling_is_refused() -> None:
    with pytest.raises(RecipeError) as caught:
        create_classifier(8, 3, "")
    assert str(caught.value) == (
        "A classifier needs one vector per image, but global_pool is empty. "
        "Set global_pool to avg, or num_classes to 0 to get the feature map."
    )


def test_a_negative_number_of_classes_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^num_classes must be 0 or more, was -1\.$"):
        create_classifier(8, -1, "avg")
