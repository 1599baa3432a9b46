import re

import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.cut_values import _rounded_up, cut_note

READS = (
    'features.names=["return_1", "range", "day_sine"]', "features.normalisation=none", "features.clip=0.0005",
    "encoding.name=sequence", "encoding.factors=3", "model.name=gru", "model.sequence.width=8",
    "model.sequence.labels_per_parameter=0",
)  # fmt: skip


def note(folder, *overrides):
    recipe = micro_recipe(folder, *READS, *overrides)
    return cut_note(Dataset.of(recipe, bootstrap.load_candles(recipe)))


def test_values_that_the_clip_cuts_are_told_with_one_that_does_not(tmp_path):
    said = note(tmp_path, "encoding.clip=0.0005")
    found = re.fullmatch(
        r"encoding\.clip = 0\.0005 cuts values of the training part: \d+% of range, \d+% of return_1\. What is cut "
        r"looks alike to the network\. To keep 99% of each: --set features\.clip=(.+) --set encoding\.clip=(.+)\.",
        said,
    )
    assert found
    assert found[1] == found[2]
    assert note(tmp_path, f"encoding.clip={found[1]}") == ""


def test_scores_are_on_one_scale_and_are_not_told_of(tmp_path):
    assert note(tmp_path, "encoding.clip=0.0005", "features.normalisation=rolling", "features.window=20") == ""


@pytest.mark.parametrize(("value", "rounded"), [(0.0123, 0.02), (0.06, 0.06), (0.97, 1.0), (7.2, 8.0)])
def test_a_clip_is_rounded_up_to_one_digit(value, rounded):
    assert _rounded_up(value) == pytest.approx(rounded)
